"""Try a question-answering model: a context and questions; answers are marked in the context."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import t
from tlcore.ui.formatting import message, plain, score
from tlcore.ui.opened_bundles import SHOWN, opened

AROUND = 600  # characters of a long context shown before and after the answer


def try_it(path: Path, key: str) -> None:
    """One context, and one question per line."""
    context = st.text_area(
        t("Context"),
        key=f"try-context-{key}",
        height=160,
        placeholder=t("Type or paste the text that holds the answer"),
    ).strip()
    typed = st.text_area(t("One question a line"), key=f"try-question-{key}", height=90)
    questions = [line.strip() for line in typed.splitlines() if line.strip()]
    if not (context and questions):
        return
    try:
        rows = opened(path).predict([{"context": context, "question": one} for one in questions[:SHOWN]])
    except StudioError as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    for question, row in zip(questions, rows, strict=False):
        with st.container(border=True):
            st.markdown("**" + plain(question) + "**")
            if row.reason is not None:
                st.error(message(row.reason), icon=":material/error:")
                continue
            sure = t("{share} sure", share=score(row.confidence))
            if not row.spans:
                st.markdown(t("The context gives no answer.") + " " + sure)
                continue
            start, end, _ = row.spans[0]
            st.markdown(marked(context, start, end))
            st.caption(sure)
    if len(questions) > SHOWN:
        st.caption(t("The first {n} are shown; for many questions, predict a file below.", n=SHOWN))


def marked(context: str, start: int, end: int) -> str:
    """The context as Markdown with the characters from ``start`` to ``end`` highlighted."""
    before, after = context[:start], context[end:]
    if len(before) > AROUND:
        before = "… " + before[-AROUND:]
    if len(after) > AROUND:
        after = after[:AROUND] + " …"
    return f"{plain(before)}:green-background[**{plain(context[start:end])}**]{plain(after)}"
