"""No page without its frame.

Until some session has run ``app.py``, a deep link runs the page alone: no gate, no navigation. So every page
begins with ``guard``, which goes through ``app.py`` first and keeps the page that was wished for.
"""

from __future__ import annotations

import streamlit as st

from tlcore.ui.state import session


def guard(page: str) -> None:
    """First statement of the page ``pages/<page>.py``; comes back only in a session that passed the frame."""
    if session().framed:
        return
    session().wished = page
    st.switch_page("app.py", query_params=st.query_params.to_dict())
