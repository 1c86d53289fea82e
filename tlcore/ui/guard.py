"""Ensures that every page runs inside the frame.

Until a session has run ``app.py``, a deep link would run the page without sign-in gate and navigation. So every page
starts with ``guard``, which redirects to ``app.py`` first and remembers the requested page.
"""

from __future__ import annotations

import streamlit as st

from tlcore.ui.state import session


def guard(page: str) -> None:
    """First statement of ``pages/<page>.py``; returns only in a session that passed the frame."""
    if session().framed:
        return
    session().wished = page
    st.switch_page("app.py", query_params=st.query_params.to_dict())
