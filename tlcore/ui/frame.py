"""The frame of every page: language, sign-in, project picker, navigation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from tlcore.core.errors import StudioError
from tlcore.core.i18n import LANGUAGES, match_locale, set_language_provider, t
from tlcore.ui import sign_in
from tlcore.ui.formatting import distinct, message, plain
from tlcore.ui.state import identity, open_project, owner, session, signed_in, store

ICON = Path(__file__).with_name("icon.svg")  # a local file: an icon font would be fetched from the internet


def current_language() -> str:
    """The language chosen in this session, else the browser's; English outside a session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    return session().language or match_locale(st.context.locale)


def begin() -> None:
    """Set up the page config, the language and the sign-in gate."""
    st.set_page_config(
        page_title="Transfer Learning Studio",
        page_icon=str(ICON),
        layout="wide",
        initial_sidebar_state="auto",
    )
    st.logo(str(ICON.with_name("logo.svg")), icon_image=str(ICON))
    set_language_provider(current_language)
    if asked := st.query_params.get("lang"):
        session().language = match_locale(asked)
    if signed_in() is False:
        _sign_in()
    with failures_shown():
        if signed_in() and identity() is None:
            _unknown_person()
        _project_of_the_address()
        session().framed = True


@contextlib.contextmanager
def failures_shown() -> Iterator[None]:
    """Context manager that shows a StudioError (such as a damaged workspace file) as a message and ends the page."""
    try:
        yield
    except StudioError as error:
        st.error(message(error.sentence), icon=":material/error:")
        st.stop()


def _sign_in() -> None:
    st.title("Transfer Learning Studio")
    st.markdown(t("Sign in to see your projects. Everybody on this server shares the library of models."))
    if problem := sign_in.problem():
        st.error(message(problem), icon=":material/error:")
        st.stop()
    st.button(t("Sign in"), icon=":material/login:", type="primary", on_click=st.login)
    st.stop()


def _unknown_person() -> None:
    st.title("Transfer Learning Studio")
    st.error(
        t("Your sign-in does not say who you are (there is no subject in it). Tell those who run this server."),
        icon=":material/error:",
    )
    st.button(t("Sign out"), icon=":material/logout:", on_click=st.logout)
    st.stop()


def _project_of_the_address() -> None:
    """Keep the open project in the URL, so that links can be shared and a refresh loses nothing."""
    store()
    asked = st.query_params.get("project")
    if asked and asked != session().project and store().projects.get(asked, owner()):
        open_project(asked)


def pages() -> dict[str, list[Any]]:
    """The pages by section; titles in the current language."""

    def page(name: str, title: str, icon: str, help: str, **more: Any) -> Any:
        return st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", help=help, **more)

    return {
        "": [page("start", t("Start"), "home", t("Your projects, and samples to try."), default=True)],
        t("The walk"): [
            page(
                "source",
                t("Source"),
                "hub",
                t("What is learned, and the source model it is transferred from."),
            ),
            page("data", t("Data"), "database", t("Upload examples, see what is wrong with them, confirm.")),
            page("strategy", t("Strategy"), "tune", t("Advice, options, and the plan before it runs.")),
            page("train", t("Train"), "model_training", t("The run as it goes: curves, time left, queue, log.")),
            page("compare", t("Compare"), "compare_arrows", t("Whether transfer helped, with intervals.")),
            page("share", t("Share"), "ios_share", t("Try the model, download it, publish it.")),
        ],
        t("More"): [
            page("library", t("Library"), "local_library", t("Models that everybody on this server shares.")),
            page("learn", t("Learn"), "school", t("What transfer learning is, and when it fails.")),
            page("server", t("Server"), "dns", t("Workers, devices, queue, disk and versions.")),
        ],
    }


def sidebar() -> None:
    """Project picker and language picker, below the navigation."""
    with st.sidebar:
        _pick_project()
        _pick_language()
        if signed_in():
            st.caption(plain(st.user.get("name") or st.user.get("email") or owner()))
            st.button(t("Sign out"), icon=":material/logout:", type="tertiary", on_click=st.logout)


def _pick_project() -> None:
    names = distinct({project.id: project.name for project in store().projects.all(owner())})
    if not names:
        return
    if session().project not in names:
        open_project(None)
    st.session_state["project_picker"] = session().project
    st.selectbox(
        t("Project"),
        list(names),
        index=None,
        key="project_picker",
        placeholder=t("Choose a project"),
        format_func=lambda project_id: names.get(project_id, ""),
        on_change=_picked,
    )
    if session().project:
        st.query_params["project"] = session().project


def _picked() -> None:
    open_project(st.session_state["project_picker"])
    if session().project:
        st.query_params["project"] = session().project
    else:
        st.query_params.pop("project", None)
    for name in ("run", "chapter"):
        st.query_params.pop(name, None)


def _pick_language() -> None:
    st.session_state["language_picker"] = current_language()
    st.selectbox(
        t("Language"),
        list(LANGUAGES),
        key="language_picker",
        format_func=LANGUAGES.__getitem__,
        on_change=_spoken,
    )


def _spoken() -> None:
    session().language = st.session_state["language_picker"]
    st.query_params.pop("lang", None)


def go_to_wished() -> None:
    """After a deep link was redirected through the frame: go to its page, with its query parameters."""
    wished, session().wished = session().wished, None
    if wished:
        st.switch_page(f"pages/{wished}.py", query_params=st.query_params.to_dict())
