"""The walk: which steps a project has completed, and elements shared by all steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import streamlit as st

from tlcore.core.i18n import Sentence, sentence, t
from tlcore.store.tables import SUCCEEDED, TERMINAL
from tlcore.ui.formatting import plain
from tlcore.ui.links import page_link
from tlcore.ui.state import go, store
from tlcore.ui.state import project as open_project

if TYPE_CHECKING:
    from tlcore.store.tables import Job, Project, Run


@dataclass(frozen=True)
class Step:
    page: str
    title: Sentence
    icon: str


STEPS = (
    Step("source", sentence("Source"), ":material/hub:"),
    Step("data", sentence("Data"), ":material/database:"),
    Step("strategy", sentence("Strategy"), ":material/tune:"),
    Step("train", sentence("Train"), ":material/model_training:"),
    Step("compare", sentence("Compare"), ":material/compare_arrows:"),
    Step("share", sentence("Share"), ":material/ios_share:"),
)


def published() -> set[str]:
    """Ids of the runs whose model is in the library."""
    return {model.run_id for model in store().models.all() if model.run_id}


def done(project: Project, shared: set[str]) -> set[str]:
    """Page names of the completed steps of this project; ``shared`` are the run ids from `published`."""
    draft, behind = project.draft, set()
    if draft.get("task") and draft.get("source"):
        behind.add("source")
    if (draft.get("data") or {}).get("dataset"):
        behind.add("data")
    runs = runs_of(project.id)
    if runs:
        behind.add("strategy")
    if any(job.state == SUCCEEDED for _, job in runs):
        behind |= {"train", "compare"}
    if shared & {run.id for run, _ in runs}:
        behind.add("share")
    return behind


def next_step(behind: set[str]) -> Step:
    """The first step that is not done; Compare if a run has succeeded."""
    if "compare" in behind:
        return STEPS[4]
    return next((step for step in STEPS if step.page not in behind), STEPS[4])


def runs_of(project_id: str) -> list[tuple[Run, Job]]:
    """The project's runs with their jobs, newest first."""
    runs = store().runs.of_project(project_id)
    jobs = store().jobs.several([run.id for run in runs])
    return [(run, jobs[run.id]) for run in runs if run.id in jobs]


def heading(title: str, what: str) -> None:
    """The title of a page and one line on its purpose."""
    st.title(title)
    st.caption(what)


def need_project() -> Project:
    """The open project; without one the page shows a message and stops."""
    project = open_project()
    if project is None:
        st.info(t("No project is open. Choose one in the sidebar, or start a new one."), icon=":material/info:")
        page_link("start", t("Go to Start"), icon=":material/home:")
        st.stop()
    return project


def need_data(project: Project) -> str:
    """The fingerprint of the project's dataset; without one the page links to Data and stops."""
    fingerprint = (project.draft.get("data") or {}).get("dataset")
    if not fingerprint:
        st.info(t("There is no confirmed data in this project yet."), icon=":material/info:")
        page_link("data", t("Go to Data"), icon=":material/database:")
        st.stop()
    return str(fingerprint)


def trail(behind: set[str]) -> str:
    """The six steps in one line; completed steps have a tick."""
    marks = [
        f":material/check_circle:\N{NO-BREAK SPACE}{t(step.title)}"
        if step.page in behind
        else f":material/circle:\N{NO-BREAK SPACE}{t(step.title)}"
        for step in STEPS
    ]
    return "  ".join(marks)


def forward(page: str, label: str, kind: Literal["primary", "secondary"] = "primary") -> None:
    """The button to the next step, at the bottom of a page."""
    st.space("small")
    if st.button(label, icon=":material/arrow_forward:", icon_position="right", key=f"forward-{page}", type=kind):
        go(page)


def named(project: Project) -> str:
    """The project's name, with Markdown escaped."""
    return plain(project.name)


def ended(job: Job) -> bool:
    return job.state in TERMINAL
