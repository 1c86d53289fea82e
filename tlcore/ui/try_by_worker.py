"""Try a model that needs torch: the pages have no torch, so a quick job of the worker predicts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.store.tables import SUCCEEDED
from tlcore.ui import job_view, text_view
from tlcore.ui.formatting import message, plain, short
from tlcore.ui.state import owner, store

if TYPE_CHECKING:
    from tlcore.bundle.predictors import Kind
    from tlcore.store.tables import Job

LOOK = 0.7  # seconds between two polls of the job
MOST = 50  # most texts at once


def show(path: Path, key: str, kind: Kind) -> None:
    """Typed or pasted texts, the knobs of this kind of bundle, and the worker's predictions."""
    given = text_view.asked(key)[:MOST]
    settings = _knobs(kind, key)
    state = f"ask-job-{key}"
    if st.button(t("Ask the model"), icon=":material/play_arrow:", disabled=not given, key=f"ask-{key}"):
        asked = {"bundle": str(path), "inputs": [text for _, text in given], "settings": settings}
        st.session_state[state] = store().jobs.submit("ask", owner(), asked).id
        st.rerun()
    job = store().jobs.get(st.session_state[state]) if state in st.session_state else None
    if job is None:
        return
    if job_view.live(job):
        _wait(job.id)
    elif job.state == SUCCEEDED:
        _answers(job)
    else:
        job_view.failure(job)


def _knobs(kind: Kind, key: str) -> dict[str, float]:
    """Number inputs for the knobs of the kind; returns their values by id. Integers stay integers."""
    chosen: dict[str, float] = {}
    with st.container(horizontal=True):
        for knob in kind.knobs:
            chosen[knob.id] = st.number_input(
                t(knob.title),
                knob.low,
                knob.high,
                knob.default,
                knob.step,
                key=f"knob-{knob.id}-{key}",
                width=200,
                help=t(knob.help) if knob.help else None,
            )
    return chosen


def _wait(job_id: str) -> None:
    @st.fragment(run_every=LOOK)
    def look() -> None:
        job = store().jobs.get(job_id)
        if job is None or not job_view.live(job):
            st.rerun()
        with st.spinner(t("The model is being asked; it is loaded first, which takes some seconds.")):
            job_view.worker_hint(job)

    look()


def _answers(job: Job) -> None:
    asked = (job.input or {}).get("inputs") or []
    for text, row in zip(asked, (job.output or {}).get("rows") or [], strict=False):
        with st.container(border=True):
            st.markdown(f"> {plain(text_view.short(text))}")
            if row["reason"]:
                st.error(message(row["reason"]), icon=":material/error:")
            else:
                _lines(row["prediction"])


def _lines(answer: Any) -> None:
    """A generated text, with its line breaks."""
    # Stripped, since ** next to a blank is not bold in Markdown.
    lines = [plain(line.strip()) for line in str(answer).splitlines()] or [""]
    st.markdown("**" + "**  \n**".join(short(line, 2_000) or "–" for line in lines) + "**")
