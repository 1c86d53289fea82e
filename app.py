"""The frame around every page: page config, sign-in, language, project picker, navigation."""

import streamlit as st

from tlcore.ui import frame

frame.begin()
with frame.failures_shown():
    page = st.navigation(frame.pages(), expanded=True)
    frame.sidebar()
    frame.go_to_wished()
    page.run()
