"""Review of an upload before it becomes a dataset: check, findings, corrections, split, confirmation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore import tasks
from tlcore.core.errors import StudioError
from tlcore.core.i18n import number, percent, t
from tlcore.core.spec_parts import Split
from tlcore.store.tables import SUCCEEDED
from tlcore.ui import job_view, text_view, upload_view
from tlcore.ui import label_corrections as editor
from tlcore.ui.dataset_view import class_bars, examples_title, findings, look, set_aside_download, sizes
from tlcore.ui.formatting import message
from tlcore.ui.state import CHECK, change_draft, owner, source_of, store

if TYPE_CHECKING:
    from tlcore.store.tables import Job, Project


def show(project: Project, job: Job) -> None:
    """The view for the state of the check: progress, failure or review."""
    if job_view.live(job):
        _watch(job)
    elif job.state == SUCCEEDED:
        _staged(project, job)
    else:
        _failed(project, job)


def _watch(job: Job) -> None:
    """Live progress of the check; reruns the page when it has ended."""
    job_id = job.id

    @st.fragment(run_every=1)
    def poll() -> None:
        now = store().jobs.get(job_id)
        if now is None or not job_view.live(now):
            st.rerun()
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown("**" + t("Checking the data") + "**", width="content")
                job_view.badge(now)
            job_view.progress_bar(now)
            job_view.worker_hint(now)
            if st.button(
                t("Stop the check"),
                icon=":material/stop_circle:",
                key="check-cancel",
                disabled=now.cancel_requested,
            ):
                store().jobs.cancel(job_id)
                st.rerun()
        st.caption(t("You may close this tab; the check goes on."))

    poll()


def _failed(project: Project, job: Job) -> None:
    if job.state == "cancelled":
        st.warning(t("The check was stopped. Nothing was kept."), icon=":material/cancel:")
    else:
        job_view.failure(job)
        job_view.show_log(store().jobs.folder(job.id), key=f"log-{job.id}")
    upload_view.form(project)


def _other_data(project: Project, label: str) -> None:
    if st.button(label, icon=":material/upload:", key="other-data"):
        change_draft(project, **{CHECK: None, "data": None})
        st.rerun()


def _staged(project: Project, job: Job) -> None:
    from tlcore.data.staging import Staged

    try:
        staged = Staged.open(store().jobs.folder(job.id), tasks.find(job.input["task"]))
        rows, left_out = staged.rows, staged.set_aside()
    except (StudioError, OSError) as error:
        text = message(error.sentence) if isinstance(error, StudioError) else t("The staged files are gone.")
        st.error(text, icon=":material/error:")
        _other_data(project, t("Upload again"))
        return
    corrections = dict((project.draft.get("data") or {}).get("corrections") or {})
    try:
        found = staged.recheck(corrections) if corrections else staged.findings
    except StudioError:  # the corrections belong to an earlier upload
        corrections, found = {}, staged.findings
    _counts(staged)
    findings(found)
    text_view.language_warning(source_of(project.draft), rows)
    with st.container(horizontal=True):
        set_aside_download(left_out, key="staged")
        _merge(project, staged, corrections)
        _leave_out(project, staged, corrections)
    if staged.rows.empty:
        _other_data(project, t("Upload again"))
        return
    view = st.segmented_control(
        t("View"),
        ["look", "correct", "counts"] if staged.labels else ["look", "correct"],
        default="look",
        required=True,
        key="staged-view",
        format_func={
            "look": examples_title(staged.rows),
            "correct": editor.title(staged.info.task),
            "counts": t("Counts"),
        }.__getitem__,
    )
    if view == "look":
        look(staged.rows, staged.file, key="staged")
    elif view == "correct":
        changed = editor.edit(staged.info.task, staged.rows, staged.file, corrections, key=f"staged-{job.id}")
        if changed != corrections:
            _keep(project, changed)
            st.rerun()
    else:
        class_bars(staged.counts, key="staged")
        sizes(staged.rows, key="staged")
    _confirm(project, staged, corrections, usable=not any(one.level == "error" for one in found))


def _keep(project: Project, corrections: dict[str, str]) -> None:
    data = {**(project.draft.get("data") or {}), "corrections": corrections}
    change_draft(project, data={key: value for key, value in data.items() if value} or None)


def _merge(project: Project, staged: Any, corrections: dict[str, str]) -> None:
    """A button that merges labels that differ only in case or blanks."""
    merges = {file: label for file, label in staged.merges().items() if corrections.get(file) != label}
    if merges and st.button(
        t("Merge labels that differ only in spelling (examples: {n})", n=len(merges)),
        icon=":material/merge:",
        key="merge-labels",
    ):
        _keep(project, {**merges, **corrections})
        st.rerun()


def _leave_out(project: Project, staged: Any, corrections: dict[str, str]) -> None:
    """A button that leaves out the examples of classes that are too small to split."""
    if not staged.labels:
        return
    from tlcore.core.findings import NEEDED
    from tlcore.data.label_corrections import corrected

    labels = corrected(staged.rows, corrections).set_index("id")["label"]
    counts = labels.value_counts()
    few = counts.index[counts < NEEDED]
    if 0 < len(few) <= len(counts) - 2 and st.button(
        t("Leave out the classes with under {needed} examples ({n})", needed=NEEDED, n=len(few)),
        icon=":material/content_cut:",
        key="leave-out",
    ):
        _keep(project, {**corrections, **dict.fromkeys(labels.index[labels.isin(few)], "")})
        st.rerun()


def _counts(staged: Any) -> None:
    with st.container(horizontal=True):
        st.metric(examples_title(staged.rows), number(len(staged.rows)), border=True, width=170)
        if staged.labels:
            st.metric(t("Classes"), number(len(staged.labels)), border=True, width=170)
        st.metric(t("Rejected"), number(len(staged.set_aside())), border=True, width=170)


def _confirm(project: Project, staged: Any, corrections: dict[str, str], *, usable: bool) -> None:
    st.subheader(t("Split and confirm"), anchor=False)
    own = bool(staged.info.splits)
    if own:
        st.caption(t("The upload has its own split into training and test; it will be respected."))
    fields = Split.model_fields
    with st.container(horizontal=True, vertical_alignment="bottom"):
        validation = st.slider(
            t("Validation"),
            0.05,
            0.4,
            0.15,
            0.05,
            key="split-validation",
            format="percent",
            help=t(fields["validation"].description or ""),
            width=220,
        )
        test = st.slider(
            t("Test"),
            0.05,
            0.5,
            0.2,
            0.05,
            key="split-test",
            format="percent",
            disabled=own,
            help=t(fields["test"].description or ""),
            width=220,
        )
        seed = st.number_input(
            t("Seed"), 0, 2**31 - 1, 0, key="split-seed", help=t(fields["seed"].description or ""), width=140
        )
    if corrections:
        st.caption(t("Labels corrected or examples left out: {n}.", n=len(corrections)))
    if not own:
        rest = percent(1 - validation - test, 0)
        st.caption(
            t("{share} of the examples are left to train on. Each class is split alike.", share=rest)
            if staged.labels
            else t("{share} of the examples are left to train on.", share=rest)
        )
    with st.container(horizontal=True):
        go = st.button(
            t("Confirm the data"), type="primary", icon=":material/check:", key="confirm", disabled=not usable
        )
        _other_data(project, t("Use other data"))
    if not usable:
        st.caption(t("What is marked as an error above must be mended first."))
    if go:
        _make_dataset(project, staged, Split(validation=validation, test=test, seed=int(seed)), corrections)


def _make_dataset(project: Project, staged: Any, split: Split, corrections: dict[str, str]) -> None:
    from tlcore.data.confirm import confirm

    with st.spinner(t("Writing the dataset …")):
        try:
            dataset = confirm(staged, store(), split=split, corrections=corrections, name=project.name, owner=owner())
        except StudioError as error:
            st.error(message(error.sentence), icon=":material/error:")
            return
    change_draft(project, **{CHECK: None, "data": {"dataset": dataset.fingerprint}})
    st.toast(t("The data are confirmed."), icon=":material/check:")
    st.rerun()
