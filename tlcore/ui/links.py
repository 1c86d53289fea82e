"""Links between pages, and from a term to the chapter that explains it."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui.state import session


def page_link(page: str, label: str, *, icon: str | None = None, **params: str) -> None:
    """A link to ``pages/<page>.py`` that keeps the open project in the address."""
    known = {"project": session().project} if session().project else {}
    st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params={**known, **params})


def learn_link(chapter: str, label: str | None = None) -> None:
    """A small link to the chapter of Learn that explains a term, such as ``negative-transfer``."""
    page_link("learn", label or t("What does this mean?"), icon=":material/school:", chapter=chapter)
