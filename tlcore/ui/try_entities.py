"""Entities in a text: each is marked in the colour of its label, with the label next to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import t
from tlcore.ui import text_view
from tlcore.ui.formatting import message, plain, score
from tlcore.ui.opened_bundles import SHOWN, opened

COLOURS = ("blue", "green", "orange", "violet", "red", "gray")


def marked(text: str, spans: Sequence[tuple[int, int, str]], labels: Sequence[str]) -> str:
    """The text as Markdown with ``spans`` (start, end, label) marked; colours follow the index in ``labels``."""
    out, at = [], 0
    for start, end, label in spans:
        colour = COLOURS[labels.index(label) % len(COLOURS)] if label in labels else "gray"
        out += [plain(text[at:start]), f":{colour}-background[{plain(text[start:end])} (**{plain(label)}**)]"]
        at = end
    return "".join([*out, plain(text[at:])])


def try_it(path: Path, key: str) -> None:
    """Try typed or pasted texts; the found entities are marked."""
    given = text_view.asked(key)
    try:
        bundle = opened(path)
        rows = bundle.predict(given[:SHOWN])
    except StudioError as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    tags = bundle.prepared.tags
    labels = list(dict.fromkeys(tag.partition("-")[2] for tag in tags if tag != "O"))
    for (_, text), row in zip(given, rows, strict=False):
        with st.container(border=True):
            if row.reason is not None:
                st.error(message(row.reason), icon=":material/error:")
                continue
            st.markdown(marked(text, row.spans, labels))
            sure = t("Sure of its least sure word: {share}.", share=score(row.confidence))
            st.caption(sure if row.spans else t("No entity was found.") + " " + sure)
    if len(given) > SHOWN:
        st.caption(t("The first {n} are shown; for many texts, predict a file below.", n=SHOWN))
    if labels:
        st.caption(t("It looks for: {labels}", labels=[plain(label) for label in labels]))
