"""What a browser session holds (ids only), and the draft of the Spec, which lives in the store.

A refresh, a second tab or a restarted server lose nothing: the workspace has it, the URL names the project.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import streamlit as st

from tlcore.spec import Spec, from_dict
from tlcore.store import Store, workspace
from tlcore.store.store import LOCAL_OWNER
from tlcore.store.users import Identity

if TYPE_CHECKING:
    from tlcore.store.tables import Project

# Keys of the draft that the studio keeps beside the fields of the Spec.
CHECK = "check"  # id of the job that checks the upload
SAMPLE = "sample"  # the bundled sample whose settings the draft has


@dataclass
class Session:
    """Ids only: never datasets, models or figures."""

    language: str | None = None  # None: as the browser says
    project: str | None = None
    framed: bool = False  # app.py has run, and its gate let this person pass
    wished: str | None = None  # the page of a deep link, while it goes through app.py
    signed_in_as: tuple[Identity, str] | None = None  # who signed in, and the owner that their rows name


def session() -> Session:
    """The state of this browser session."""
    return st.session_state.setdefault("studio", Session())


def store() -> Store:
    """The workspace; one engine for all sessions of this server."""
    return _open(str(workspace()), os.environ.get("TLCORE_DATABASE_URL"))


@st.cache_resource(show_spinner=False)
def _open(home: str, url: str | None) -> Store:
    return Store.open(home)


def signed_in() -> bool | None:
    """None where no sign-in is configured (one local owner)."""
    value = st.user.get("is_logged_in")
    return None if value is None else bool(value)


def identity() -> Identity | None:
    """Who is signed in; None where nobody is, or where the provider does not say who."""
    return Identity.from_claims(st.user)


def owner() -> str:
    """Whose projects these are: the signed-in person, else the one local owner.

    Where sign-in is configured and it is not known who asks, the page ends here: nobody's rows are shown.
    """
    if signed_in() is None:
        return LOCAL_OWNER
    who = identity()
    if who is None:
        st.stop()
    known = session().signed_in_as
    if known is None or known[0] != who:
        known = session().signed_in_as = (who, store().users.sign_in(who).owner)
    return known[1]


def project() -> Project | None:
    """The open project, or None. A project of somebody else is none."""
    project_id = session().project
    return store().projects.get(project_id, owner()) if project_id else None


def open_project(project_id: str | None) -> None:
    """Make a project the open one."""
    session().project = project_id


def go(page: str, **params: str) -> NoReturn:
    """Go to ``pages/<page>.py``; the open project stays in the address."""
    known = {"project": session().project} if session().project else {}
    st.switch_page(f"pages/{page}.py", query_params={**known, **params})


def change_draft(project: Project, **values: Any) -> None:
    """Write fields of the draft; None takes a field out."""
    current = store().projects.get(project.id, owner())
    if current is None:
        return
    draft = {**current.draft, **values}
    store().projects.save_draft(project.id, {key: value for key, value in draft.items() if value is not None})


def source_of(draft: dict[str, Any]) -> str:
    """The source model that a draft names, else the one that its task begins with."""
    return str(draft.get("source") or default_source(draft.get("task")))


def default_source(task: str | None) -> str:
    """The source model that a task begins with; the first task's where there is none."""
    from tlcore.tasks import TASKS

    return next((one.default_source for one in TASKS if one.id == task), TASKS[0].default_source)


def draft_spec(project: Project) -> Spec:
    """The draft as a Spec. Raises UnusableInput where a field is missing or wrong."""
    draft = {key: value for key, value in project.draft.items() if key in Spec.model_fields}
    draft.setdefault("name", project.name[:120])
    return from_dict(draft)
