"""State of a browser session (ids only), and the draft of the Spec, which is in the store.

A refresh, a second tab or a restarted server loses nothing: the data are in the workspace, the project is in the URL.
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

# Keys of the draft in addition to the fields of the Spec.
CHECK = "check"  # id of the job that checks the upload
SAMPLE = "sample"  # id of the bundled sample that the draft was made from


@dataclass
class Session:
    """The state of a browser session. Ids only: never datasets, models or figures."""

    language: str | None = None  # None: the browser's language
    project: str | None = None
    framed: bool = False  # app.py has run and the user passed its gate
    wished: str | None = None  # the page of a deep link, during the redirect through app.py
    signed_in_as: tuple[Identity, str] | None = None  # the signed-in identity and its owner name in the store


def session() -> Session:
    """The state of this browser session."""
    return st.session_state.setdefault("studio", Session())


def store() -> Store:
    """The store; one database engine for all sessions of this server."""
    return _open(str(workspace()), os.environ.get("TLCORE_DATABASE_URL"))


@st.cache_resource(show_spinner=False)
def _open(home: str, url: str | None) -> Store:
    return Store.open(home)


def signed_in() -> bool | None:
    """Whether the user is signed in; None if sign-in is not configured (one local owner)."""
    value = st.user.get("is_logged_in")
    return None if value is None else bool(value)


def identity() -> Identity | None:
    """The signed-in identity; None if nobody is signed in or the provider gives no subject."""
    return Identity.from_claims(st.user)


def owner() -> str:
    """The owner name of this session's rows: the signed-in user, else the one local owner.

    If sign-in is configured and the identity is unknown, the page stops here, so that no rows are shown.
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
    """The open project, or None. Projects of other users count as None."""
    project_id = session().project
    return store().projects.get(project_id, owner()) if project_id else None


def open_project(project_id: str | None) -> None:
    """Open a project (None: close it)."""
    session().project = project_id


def go(page: str, **params: str) -> NoReturn:
    """Go to ``pages/<page>.py``; the open project stays in the URL."""
    known = {"project": session().project} if session().project else {}
    st.switch_page(f"pages/{page}.py", query_params={**known, **params})


def change_draft(project: Project, **values: Any) -> None:
    """Write fields of the draft; None removes a field."""
    current = store().projects.get(project.id, owner())
    if current is None:
        return
    draft = {**current.draft, **values}
    store().projects.save_draft(project.id, {key: value for key, value in draft.items() if value is not None})


def source_of(draft: dict[str, Any]) -> str:
    """The source model of a draft, else the default of its task."""
    return str(draft.get("source") or default_source(draft.get("task")))


def default_source(task: str | None) -> str:
    """The default source model of a task; without a task, that of the first task."""
    from tlcore.tasks import TASKS

    return next((one.default_source for one in TASKS if one.id == task), TASKS[0].default_source)


def draft_spec(project: Project) -> Spec:
    """The draft as a Spec. Raises UnusableInput if a field is missing or invalid."""
    draft = {key: value for key, value in project.draft.items() if key in Spec.model_fields}
    draft.setdefault("name", project.name[:120])
    return from_dict(draft)
