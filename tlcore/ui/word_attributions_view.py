"""Word attributions of a prediction: marked in the text, and computed by the worker on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.tasks.shared.word_attributions import marked
from tlcore.ui import job_view
from tlcore.ui.formatting import plain
from tlcore.ui.state import owner, store


def show(weighted_words: Sequence[Sequence[Any]], explained: str) -> None:
    """The text with its words marked by their attribution to the prediction ``explained``."""
    if not weighted_words:
        st.caption(t("No word of this text was read."))
        return
    st.html(f'<p style="line-height:2">{marked(weighted_words)}</p>')
    st.caption(
        t(
            "For “{answer}”: words with + and a solid line spoke for it, words with − and a dashed line against it; "
            "the stronger the ground, the more. Compared with the same text without meaning (integrated gradients).",
            answer=plain(explained),
        )
    )


def on_demand(given: dict[str, Any], key: str) -> None:
    """A button that lets the worker explain ``given`` (bundle, text, optional label), and the result."""
    state = f"words-{key}"
    job_id = st.session_state.get(state)
    if job_id is None:
        if st.button(t("Show which words moved the answer"), icon=":material/visibility:", key=f"go-{state}"):
            st.session_state[state] = store().jobs.submit("explain", owner(), given).id
            st.rerun()
        return
    if job := job_view.outcome(job_id):
        show((job.output or {}).get("words") or [], str((job.output or {}).get("explained")))
