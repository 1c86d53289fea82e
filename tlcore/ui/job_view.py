"""Display of a job: state, progress, failure, and whether a worker is available."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import Sentence, sentence, t
from tlcore.store.tables import CANCELLED, FAILED, INTERRUPTED, QUEUED, RUNNING, SUCCEEDED, TERMINAL
from tlcore.ui.formatting import duration, message, plain
from tlcore.ui.state import owner, store

if TYPE_CHECKING:
    from tlcore.execution.heartbeat import WorkerNote
    from tlcore.store.tables import Job, Project

STATES: dict[str, tuple[Sentence, str, str]] = {
    QUEUED: (sentence("waiting"), "schedule", "gray"),
    RUNNING: (sentence("running"), "play_circle", "blue"),
    SUCCEEDED: (sentence("finished"), "check_circle", "green"),
    FAILED: (sentence("failed"), "error", "red"),
    CANCELLED: (sentence("cancelled"), "cancel", "orange"),
    INTERRUPTED: (sentence("interrupted"), "sync_problem", "orange"),
}
LOG_TAIL = 12_000  # characters of the log that a page shows


def submit(project: Project, kind: str, asked: dict[str, Any]) -> None:
    """Queue a job with the draft's options, and rerun the page."""
    options = project.draft.get("options") or {}
    store().jobs.submit(kind, owner(), {**asked, "options": options}, project_id=project.id)
    st.rerun()


def live(job: Job) -> bool:
    return job.state not in TERMINAL


def badge(job: Job) -> None:
    """The state as a badge with a word, an icon and a colour."""
    title, icon, colour = STATES[job.state]
    word = t("stopping …") if job.cancel_requested and live(job) else t(title)
    st.badge(word, icon=f":material/{icon}:", color=colour)  # type: ignore[arg-type]


def state_word(job: Job) -> str:
    return t(STATES[job.state][0])


def progress_bar(job: Job) -> None:
    """The reported progress of the job; for a waiting job its place in the queue."""
    progress = job.progress or {}
    text = message(progress["sentence"]) if progress.get("sentence") else ""
    if job.state == QUEUED:
        text = waiting(job)
    elif job.state == INTERRUPTED:
        text = t("Interrupted; it goes on from its checkpoint as soon as a worker takes it up.")
    share = progress.get("share")
    st.progress(min(1.0, max(0.0, share or 0.0)), text=text or t("At work …"))


def waiting(job: Job) -> str:
    """The place of a waiting job in its lane, as text."""
    if before := store().jobs.ahead(job.id):
        return t("Waiting; {n} before it in the queue.", n=before)
    return t("Waiting for a worker to take it up.")


def failure(job: Job) -> None:
    """The reason of a failure, with file and row if known."""
    error = job.error or {}
    stored = error.get("sentence")
    text = message(stored) if stored else t("It failed without saying why; the log may tell.")
    if error.get("file"):
        place = t("File: {file}", file=error["file"])
        if error.get("row") is not None:
            place = t("File: {file}, row {row}", file=error["file"], row=error["row"])
        text = f"{text}  \n{plain(place)}"
    st.error(text, icon=":material/error:")


def ended_badly(job: Job | None) -> None:
    """The reason why the last attempt failed, if it did."""
    if job is not None and job.state == FAILED:
        failure(job)
        show_log(store().jobs.folder(job.id), key=f"log-{job.id}")
    elif job is not None and job.state == CANCELLED:
        st.caption(t("It was stopped before it was done."))


def log_tail(folder: Path) -> str:
    """The end of a job's log."""
    path = folder / "log.txt"
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - LOG_TAIL))
        return file.read().decode(errors="replace").replace("\r", "\n")


def show_log(folder: Path, *, expanded: bool = False, key: str = "log") -> None:
    """The log in an expander; it is read only when open."""
    box = st.expander(t("Log"), icon=":material/terminal:", key=key, expanded=expanded, on_change="rerun")
    if box.open:
        with box:
            st.code(log_tail(folder) or t("The log is empty so far."), language=None, height=260)


def watch(job: Job, stop: str, *, key: str, title: str = "") -> None:
    """Live progress of a job, in a box if there is a ``title``; reruns the page at the end.

    Only the owner of the job gets the button to stop it (label ``stop``).
    """
    own = job.owner == owner()

    @st.fragment(run_every=1)
    def look() -> None:
        now = store().jobs.get(job.id)
        if now is None or not live(now):
            st.rerun()
        with st.container(border=bool(title)):
            with st.container(horizontal=True, vertical_alignment="center"):
                if title:
                    st.markdown(f"**{title}**", width="content")
                badge(now)
            progress_bar(now)
            left = (now.progress or {}).get("seconds_left")
            if left is not None:
                st.caption(t("About {time} left", time=duration(left)))
            worker_hint(now)
            if not own:
                st.caption(
                    t(
                        "Somebody else has the same under way on the same data. You see the result as well; only they "
                        "can stop it."
                    )
                )
            elif st.button(stop, icon=":material/stop_circle:", key=key, disabled=now.cancel_requested):
                store().jobs.cancel(job.id)
                st.rerun()

    look()


def outcome(job_id: str) -> Job | None:
    """The quick job if it has succeeded; else None, and its progress or failure is shown."""

    @st.fragment(run_every=1)
    def wait() -> None:
        now = store().jobs.get(job_id)
        if now is None or not live(now):
            st.rerun()
        progress_bar(now)
        worker_hint(now)

    job = store().jobs.get(job_id)
    if job is None or job.state == SUCCEEDED:
        return job
    if live(job):
        wait()
    else:
        failure(job)
    return None


def worker_hint(job: Job) -> None:
    """A hint on what to do if no worker is running."""
    if job.state in (QUEUED, INTERRUPTED) and time.time() - job.created > 4 and not workers():
        st.warning(
            t("No worker is running, so nothing starts. On the server, run `tlcore worker`."),
            icon=":material/warning:",
        )


def workers() -> list[WorkerNote]:
    """The live workers."""
    from tlcore.execution.heartbeat import workers_alive

    return workers_alive(store())


def took(job: Job) -> str:
    """How long the job ran or has been running."""
    if job.started is None:
        return "–"
    return duration((job.finished or time.time()) - job.started)
