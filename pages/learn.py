"""Learn: what transfer learning is, when it helps, and when it fails."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import guard, walk
from tlcore.ui.learn import CHAPTERS, find

guard("learn")

walk.heading(t("Learn"), t("Transfer learning in the studio's own words: what it is, its parts, and when it fails."))

titles = {chapter.id: t(chapter.title) for chapter in CHAPTERS}
chapter = find(st.query_params.get("chapter"))
if st.session_state.get("chapter-shown") != chapter.id:
    st.session_state["chapter-shown"] = st.session_state["chapter-picker"] = chapter.id

left, right = st.columns([1, 3], gap="large")
with left:
    picked = st.radio(
        t("Chapters"),
        list(titles),
        key="chapter-picker",
        format_func=titles.__getitem__,
    )
if picked != chapter.id:
    chapter = find(picked)
    st.session_state["chapter-shown"] = picked
    st.query_params["chapter"] = picked
with right:
    st.header(t(chapter.title), anchor=False)
    chapter.render()
