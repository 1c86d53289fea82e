"""Live view of a run: state, curves of both arms, pace, queue, log; cancel and resume."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import number, t, translate
from tlcore.store.tables import CANCELLED, FAILED, INTERRUPTED, QUEUED, RUNNING, SUCCEEDED
from tlcore.tasks import find
from tlcore.ui import charts, job_view, pretrained_view
from tlcore.ui.formatting import distinct, duration, message, plain, short, size, when
from tlcore.ui.state import owner, store
from tlcore.ui.walk import forward, runs_of

if TYPE_CHECKING:
    import pandas as pd

    from tlcore.evaluation.records import Metric
    from tlcore.store.tables import Job, Project, Run

LOOK, CURVES = 1.0, 3.0  # refresh intervals in seconds: state of a live run, and its curves


def pick_run(project: Project, *, key: str, only: tuple[str, ...] = ()) -> tuple[Run, Job] | None:
    """The selected run with its job: that of the URL, else the newest; a picker if there are several."""
    pairs = [(run, job) for run, job in runs_of(project.id) if not only or job.state in only]
    if not pairs:
        return None
    by_id = {run.id: (run, job) for run, job in pairs}
    asked = st.query_params.get("run")
    widget = f"run-{key}-{project.id}"
    if st.session_state.get(widget) not in by_id:
        st.session_state[widget] = asked if asked in by_id else next(iter(by_id))
    if len(by_id) > 1:
        st.selectbox(
            t("Run"),
            list(by_id),
            key=widget,
            width=520,
            on_change=_remember,
            args=(widget,),
            format_func=distinct({run_id: _titled(run) for run_id, (run, _) in by_id.items()}, 90).__getitem__,
        )
    chosen = str(st.session_state[widget])
    st.query_params["run"] = chosen
    return by_id[chosen]


def _remember(widget: str) -> None:
    st.query_params["run"] = st.session_state[widget]


def _titled(run: Run) -> str:
    return f"{short(run.name, 50)} · {when(run.created)}"


def watch(run: Run, job: Job) -> None:
    """Show the run; refresh every second while it is live, and rerun the page when it has ended."""
    alive = job_view.live(job)
    run_id = run.id

    @st.fragment(run_every=LOOK if alive else None)
    def look() -> None:
        now = store().jobs.get(run_id)
        if now is None or (alive and not job_view.live(now)):
            st.rerun()
        _state(now)
        if alive:
            _pace(now.progress or {})

    @st.fragment(run_every=CURVES if alive else None)
    def draw() -> None:
        points = store().runs.points(run_id)
        pretrained_view.curve(points)
        if not points.empty and (points["trial"] == "final").any():
            _curves(points, find(run.task).metrics[0])
        elif not points.empty and alive:
            st.caption(t("Learning rates are being tried; the curves begin with the training itself."))

    look()
    draw()
    _actions(run, job)
    job_view.show_log(store().runs.home(run.id), expanded=job.state == FAILED, key=f"log-{run.id}")


def _state(job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        job_view.badge(job)
        if job.started:
            took = job_view.took(job)
            text = t("running for {time}", time=took) if job_view.live(job) else t("ran for {time}", time=took)
            st.caption(text, width="content")
        if job.attempt > 1:
            st.caption(t("attempt {n}", n=job.attempt), width="content")
    if job.state in (QUEUED, RUNNING, INTERRUPTED):
        job_view.progress_bar(job)
        job_view.worker_hint(job)
    elif job.state == FAILED:
        job_view.failure(job)
    elif job.state == CANCELLED:
        st.warning(t("This run was cancelled. It can go on from where it was."), icon=":material/cancel:")
    elif job.state == SUCCEEDED:
        st.success(t("This run is finished."), icon=":material/check_circle:")


def _pace(progress: dict[str, Any]) -> None:
    """The progress of the training as small metrics."""
    arms = {name: t(arm[0]) for name, arm in charts.ARMS.items()}
    figures = [
        (t("Arm"), arms.get(str(progress.get("arm")), "")),
        (t("Phase"), _phase(progress.get("phase"))),
        (t("Epoch"), _of(progress, "epoch", "epochs")),
        (
            t("Examples a second"),
            number(progress["examples_per_second"], 0) if progress.get("examples_per_second") else "",
        ),
        (t("Time left"), duration(progress["seconds_left"]) if progress.get("seconds_left") is not None else ""),
        (t("Device"), str(progress.get("device") or "")),
        (t("Memory"), size(progress["memory"]) if progress.get("memory") else ""),
    ]
    with st.container(horizontal=True, gap="medium"):
        for label, value in figures:
            if value:
                st.markdown(f":small[:gray[{label}]]  \n**{plain(value)}**", width="content")


def _of(progress: dict[str, Any], name: str, total: str | None = None) -> str:
    if progress.get(name) is None:
        return ""
    return f"{progress[name]}" + (f" / {progress[total]}" if total and progress.get(total) else "")


def _phase(phase: Any) -> str:
    names = {
        "extract": t("features"),
        "solve": t("head"),
        "train": t("training"),
        "search": t("rate search"),
        "pre-training": t("pre-training"),
    }
    if isinstance(phase, dict):
        return translate(phase)
    return names.get(str(phase), "" if phase is None else str(phase))


def _curves(points: pd.DataFrame, metric: Metric) -> None:
    """Figures of loss and of score, each with both arms."""
    left, right = st.columns(2)
    with left:
        name = f"validation_{metric.id}"
        if name in points:
            title = t("Score on validation data")
            charts.show(charts.curves(points, name, title=title, share=metric.share), "live-score", title)
    with right:
        if "train_loss" in points or "validation_loss" in points:
            name = "train_loss" if "train_loss" in points else "validation_loss"
            title = t("Training loss") if name == "train_loss" else t("Validation loss")
            charts.show(charts.curves(points, name, title=title, share=False), "live-loss", title)


def _actions(run: Run, job: Job) -> None:
    with st.container(horizontal=True):
        if job_view.live(job):
            if st.button(
                t("Cancel the run"),
                icon=":material/stop_circle:",
                key="cancel-run",
                disabled=job.cancel_requested,
            ):
                st.dialog(t("Cancel the run?"))(_ask_cancel)(run.id)
        elif job.state in (FAILED, CANCELLED) and st.button(
            t("Go on from where it was"), icon=":material/replay:", key="resume-run", type="primary"
        ):
            store().jobs.requeue(run.id)
            st.rerun()
    if job.state == SUCCEEDED:
        forward("compare", t("Next: see whether transfer helped"))


def _ask_cancel(run_id: str) -> None:
    st.markdown(t("It stops at its next step. What it has done so far stays, and it can go on later."))
    with st.container(horizontal=True):
        if st.button(t("Cancel the run"), type="primary", key="cancel-yes"):
            store().jobs.cancel(run_id)
            st.rerun()
        if st.button(t("Let it run"), key="cancel-no"):
            st.rerun()


def queue() -> None:
    """The queue of this server (all users), in order; refreshed while it is not empty."""
    jobs = store().jobs.queue("train")

    @st.fragment(run_every=3 if jobs else None)
    def look() -> None:
        rows = queue_rows(store().jobs.queue("train"))
        if rows:
            st.table(rows, border="horizontal", hide_index=True)
        else:
            st.caption(t("Nothing runs and nothing waits."))

    look()


def queue_rows(jobs: list[Job]) -> list[dict[str, str]]:
    """One row per job; names of other users' jobs are hidden."""
    me, rows = owner(), []
    for place, job in enumerate(jobs, 1):
        run = store().runs.get(job.id) if job.kind == "run" else None
        mine = job.owner == me
        rows.append(
            {
                t("Place"): str(place),
                t("What"): plain((run.name if run else _kind(job.kind)) if mine else t("a run of somebody else")),
                t("State"): job_view.state_word(job),
                t("Since"): duration(time.time() - (job.started or job.created)),
                t("Doing"): message((job.progress or {}).get("sentence"))
                if (job.progress or {}).get("sentence")
                else "–",
            }
        )
    return rows


def _kind(kind: str) -> str:
    """The description of a job that is not a run."""
    return {"label-savings": t("Label savings"), "race": t("Pilot")}.get(kind, kind)
