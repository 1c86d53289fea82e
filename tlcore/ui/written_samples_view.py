"""Generated samples of the unchanged source model and of the trained model from the same prompts."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui.formatting import message, plain


def show(report: dict[str, Any]) -> None:
    """Each sample: the prompt, both models' texts per decoding setting, and the true continuation."""
    st.caption(
        t("Beginnings from the test set, which training never saw; both models with the same settings and seeds.")
    )
    for one in report.get("samples") or []:
        with st.container(border=True):
            st.caption(plain(one["id"]))
            st.markdown("> " + _lines(one["prompt"]))
            for written in one["written"]:
                st.caption(message(written["how"]))
                for place, title, text in zip(
                    st.columns(2),
                    (t("The source model as it is"), t("The trained model")),
                    (written["before"], written["after"]),
                    strict=True,
                ):
                    place.markdown(f":small[:gray[{title}]]  \n" + (_lines(text) or "–"))
            st.caption(t("What the text truly says"))
            st.markdown(_lines(one["truth"]))


def _lines(text: str) -> str:
    """A text with Markdown escaped and its line breaks kept."""
    return "  \n".join(plain(line) for line in text.splitlines())
