"""The user's projects: one-click sample projects, cards and dialogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.tasks import find
from tlcore.ui import walk
from tlcore.ui.formatting import plain, when
from tlcore.ui.state import CHECK, SAMPLE, default_source, go, open_project, owner, store

if TYPE_CHECKING:
    from tlcore.store.tables import Project

SHOWN = 60  # most cards shown; search finds the rest


def samples() -> None:
    """The bundled samples; one click makes a project of one."""
    from tlcore.data.samples import SAMPLES

    with st.grid("auto", min_column_width=300):
        for sample in SAMPLES:
            with st.container(border=True, height="stretch"):
                st.markdown(f"**{t(sample.title)}**")
                task = find(sample.task)
                st.badge(t(task.title), icon=task.icon, color="gray")
                st.caption(t(sample.what))
                if st.button(t("Try this sample"), key=f"sample-{sample.id}", icon=":material/play_arrow:"):
                    from_sample(sample)


def from_sample(sample: Any) -> None:
    """Make a project with task, source and data of the sample, start its check, and open the Data page."""
    name = t(sample.title)
    draft = {"task": sample.task, "source": default_source(sample.task), SAMPLE: sample.id, **sample.spec}
    project = store().projects.create(name, owner(), draft)
    job = store().jobs.submit(
        "check-upload",
        owner(),
        {"sample": sample.id, "task": draft["task"], "name": name},
        project_id=project.id,
    )
    store().projects.save_draft(project.id, {**draft, CHECK: job.id})
    open_project(project.id)
    go("data")


def new_project() -> None:
    """The form for a new project: a name, then the first step of the walk."""
    form = st.form("new-project", border=False, enter_to_submit=True)
    with form, st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            t("Name of a new project"),
            max_chars=120,
            key="new-name",
            placeholder=t("For example: scratches on housings"),
        )
        create = st.form_submit_button(t("Create"), icon=":material/add:", type="primary")
    if create:
        if not name.strip():
            st.warning(t("Give the project a name first."))
            return
        open_project(store().projects.create(name, owner()).id)
        go("source")


def cards() -> None:
    """All projects of this user, with their state and actions."""
    projects = store().projects.all(owner())
    if not projects:
        st.caption(t("No projects yet. Create one above, or try a sample."))
        return
    wanted = ""
    if len(projects) > 6:
        hint = t("name of the project")
        wanted = st.text_input(t("Search"), type="search", key="project-search", live=True, placeholder=hint) or ""
    found = [project for project in projects if wanted.lower() in project.name.lower()]
    if not found:
        st.caption(t("No project has “{text}” in its name.", text=plain(wanted)))
    shared = walk.published()
    with st.grid("auto", min_column_width=320):
        for project in found[:SHOWN]:
            with st.container(border=True, height="stretch"):
                _card(project, walk.done(project, shared))
    if len(found) > SHOWN:
        st.caption(t("{n} more; search by name to find them.", n=len(found) - SHOWN))


def _card(project: Project, behind: set[str]) -> None:
    step = walk.next_step(behind)
    st.markdown(f"**{plain(project.name)}**")
    changed = t("Changed {when}", when=when(project.updated))
    st.caption(f"{changed}  \n{walk.trail(behind)}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = t("Continue with {step}", step=step.title)
        if st.button(label, key=f"open-{project.id}", icon=step.icon):
            open_project(project.id)
            go(step.page)
        actions = {"rename": t("Rename"), "duplicate": t("Duplicate"), "delete": t("Delete")}
        chosen = st.menu_button(
            t("More"),
            list(actions),
            key=f"menu-{project.id}",
            type="tertiary",
            icon=":material/more_horiz:",
            format_func=actions.__getitem__,
        )
    if chosen == "rename":
        _dialog(t("Rename the project"), _rename, project)
    elif chosen == "duplicate":
        copy = store().projects.duplicate(project.id, owner(), t("{name} (copy)", name=project.name))
        open_project(copy.id)
        st.rerun()
    elif chosen == "delete":
        _dialog(t("Delete the project?"), _delete, project)


def _dialog(title: str, body: Any, project: Project) -> None:
    """A dialog whose title is in the current language."""
    st.dialog(title)(body)(project)


def _rename(project: Project) -> None:
    name = st.text_input(t("New name"), project.name, max_chars=120, key=f"rename-{project.id}")
    if st.button(t("Rename"), type="primary", key=f"rename-go-{project.id}", disabled=not name.strip()):
        store().projects.rename(project.id, name)
        st.rerun()


def _delete(project: Project) -> None:
    runs = walk.runs_of(project.id)
    st.markdown(
        t(
            "“{name}” goes for good, and with it its runs ({n}): their weights, predictions and reports.",
            name=plain(project.name),
            n=len(runs),
        )
    )
    if any(not walk.ended(job) for _, job in runs):
        st.warning(t("A run of this project is not finished; it will be asked to stop."))
    st.caption(t("Datasets and models in the library stay."))
    with st.container(horizontal=True):
        if st.button(t("Delete"), type="primary", icon=":material/delete:", key=f"delete-go-{project.id}"):
            store().projects.delete(project.id)
            open_project(None)
            st.query_params.pop("project", None)
            st.rerun()
        if st.button(t("Keep it"), key=f"delete-no-{project.id}"):
            st.rerun()
