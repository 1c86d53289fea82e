"""The settings of the chosen strategy, and the auxiliary datasets that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import number, sentence, t
from tlcore.core.spec_parts import Data
from tlcore.data.dataset import Dataset
from tlcore.store.tables import FAILED, SUCCEEDED
from tlcore.strategies import STRATEGIES
from tlcore.tasks import find as find_task
from tlcore.ui import job_view, upload_view
from tlcore.ui.formatting import message, plain
from tlcore.ui.state import change_draft, owner, store

if TYPE_CHECKING:
    from tlcore.core.i18n import Sentence
    from tlcore.store.tables import Job, Project
    from tlcore.strategies.options import Option

BARE = sentence(
    "Examples from where the model will be used, or more of your field: the advice compares them with yours"
)
TAKING = "taking"  # key of the draft: ids of the jobs that read auxiliary datasets, by dataset name


def show(project: Project, chosen: str) -> None:
    """The auxiliary datasets and settings of the chosen strategy.

    While the advice chooses, only unlabelled examples, which it compares with the training data.
    """
    strategy = next((one for one in STRATEGIES if one.id == chosen), None)
    if strategy is None:
        with st.expander(t("Examples without labels, if you have some"), icon=":material/label_off:"):
            _set(project, "unlabelled", BARE, needed=False)
        return
    for name, what in strategy.needs.items():
        _set(project, name, what, needed=True)
    either = hasattr(strategy, "lacks") and strategy.lacks(Data.model_validate(project.draft["data"])) is not None
    for name, what in strategy.takes.items():
        _set(project, name, what, needed=False, either=either)
    if strategy.options:
        _options(project, chosen, strategy.options)


def _options(project: Project, chosen: str, options: tuple[Option, ...]) -> None:
    """One widget per setting; only values that differ from the default are stored in the draft."""
    had = dict(project.draft.get("strategy_options") or {})
    given: dict[str, Any] = {}
    with st.grid("auto", min_column_width=220):
        for option in options:
            given[option.id] = _widget(
                option, had.get(option.id, option.default), f"s-{chosen}-{option.id}-{project.id}"
            )
    changed = {option.id: given[option.id] for option in options if given[option.id] != option.default}
    if changed != had:
        change_draft(project, strategy_options=changed or None)
        project.draft = {**project.draft, "strategy_options": changed}


def _widget(option: Option, value: Any, key: str) -> Any:
    title, help = t(option.title), t(option.help)
    if option.choices:
        titles = {name: t(words) for name, words in option.choices}
        names = list(titles)
        return st.selectbox(title, names, names.index(value), format_func=titles.__getitem__, key=key, help=help)
    if isinstance(option.default, bool):
        return st.toggle(title, value, key=key, help=help)
    kind = type(option.default)
    return st.number_input(
        title,
        kind(option.low),
        kind(option.high),
        kind(value),
        key=key,
        help=help,
        **({} if kind is int else {"format": "%g", "step": option.high / 100}),
    )


def _set(project: Project, name: str, what: Sentence, *, needed: bool, either: bool = False) -> None:
    """One auxiliary dataset: its description, or the form to provide it."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**" + t(what) + "**", width="content")
            if not needed:
                st.badge(t("one of these is needed") if either else t("if you have some"), color="gray")
        if fingerprint := (project.draft.get("data") or {}).get(name):
            _given(project, name, str(fingerprint))
            return
        job_id = (project.draft.get(TAKING) or {}).get(name)
        job = store().jobs.get(job_id) if job_id else None
        if job is not None and job_view.live(job):
            _watch(job)
        elif job is not None and job.state == SUCCEEDED:
            _keep(project, name, job.output["fingerprint"])
        else:
            if job is not None and job.state == FAILED:
                job_view.failure(job)
            _form(project, name)


def _given(project: Project, name: str, fingerprint: str) -> None:
    try:
        info = Dataset.open(store(), fingerprint, owner()).info
    except UnusableInput as error:
        st.error(message(error.sentence), icon=":material/error:")
    else:
        st.markdown(
            ":material/check_circle: "
            + t(
                "{name}: {n} examples ({fingerprint})",
                name=plain(info.name),
                n=number(sum(info.n.values())),
                fingerprint=fingerprint,
            )
        )
        if info.set_aside:
            st.caption(t("Rejected: {n}", n=number(info.set_aside)))
    if st.button(t("Use another set"), key=f"further-drop-{name}", icon=":material/upload:"):
        _keep(project, name, None)


def _keep(project: Project, name: str, fingerprint: str | None) -> None:
    data = {**(project.draft.get("data") or {}), name: fingerprint}
    taking = {key: value for key, value in (project.draft.get(TAKING) or {}).items() if key != name}
    change_draft(project, **{"data": {k: v for k, v in data.items() if v is not None}, TAKING: taking or None})
    st.rerun()


def _watch(job: Job) -> None:
    job_id = job.id

    @st.fragment(run_every=1)
    def poll() -> None:
        now = store().jobs.get(job_id)
        if now is None or not job_view.live(now):
            st.rerun()
        job_view.progress_bar(now)
        job_view.worker_hint(now)
        if st.button(t("Stop the check"), key=f"further-cancel-{job_id}", disabled=now.cancel_requested):
            store().jobs.cancel(job_id)
            st.rerun()

    poll()


def _form(project: Project, name: str) -> None:
    """The form: a file, a path on the server, or an earlier dataset."""
    task = find_task(str(project.draft.get("task")))
    st.caption(t(_what(name, task)))
    ways = {"file": t("A file"), "server": t("A path on the server"), "workspace": t("Data used before")}
    way = st.segmented_control(
        t("Where are the examples?"),
        list(ways),
        format_func=ways.__getitem__,
        default="file",
        required=True,
        key=f"further-way-{name}",
    )
    if way == "workspace":
        _used_before(project, name, task)
        return
    file, path = None, ""
    if way == "file":
        file = st.file_uploader(t("File"), key=f"further-file-{name}")
    else:
        path = st.text_input(t("Path on the server"), placeholder="/data/examples.zip", key=f"further-path-{name}")
    if not st.button(
        t("Read it"), icon=":material/fact_check:", disabled=not (file or path.strip()), key=f"further-go-{name}"
    ):
        return
    try:
        found = (
            upload_view.keep([file], store().home / "tmp").resolve() if file else upload_view.server_path(path.strip())
        )
    except UnusableInput as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    columns = (project.draft.get("data") or {}).get("columns") or {}
    asked = {"set": name, "path": str(found), "task": task.id, "columns": columns}
    job = store().jobs.submit("take-set", owner(), asked, project_id=project.id)
    upload_view.release([file])
    change_draft(project, **{TAKING: {**(project.draft.get(TAKING) or {}), name: job.id}})
    st.rerun()


def _used_before(project: Project, name: str, task: Any) -> None:
    from tlcore.data.dataset import BARE

    wanted = {task.id, f"{BARE}{task.modality}"} if name == "unlabelled" else {task.id}
    rows = [row for row in store().datasets.all(owner()) if row.task in wanted]
    if not rows:
        st.caption(t("Nothing has been confirmed in this workspace yet."))
        return
    names = {row.fingerprint: f"{row.name} · {row.n} · {row.fingerprint}" for row in rows}
    chosen = st.selectbox(t("Dataset"), list(names), format_func=names.__getitem__, key=f"further-known-{name}")
    if st.button(t("Use this data"), key=f"further-known-go-{name}"):
        _keep(project, name, chosen)


def _what(name: str, task: Any) -> Sentence:
    """The help text on accepted uploads of the dataset."""
    from tlcore.data.readers import READERS
    from tlcore.data.unlabelled import KINDS

    if name == "unlabelled":
        return KINDS[task.modality].what
    return next(reader.what for reader in READERS if reader.id == task.formats[0])
