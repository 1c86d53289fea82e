"""Server: workers, devices, queue, disk, versions, and whether the hub can be reached."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import guard, run_view, server_view, walk
from tlcore.ui.formatting import plain
from tlcore.ui.state import store

guard("server")

walk.heading(t("Server"), t("Who works here, what waits, and what is installed."))
st.subheader(t("Workers"), anchor=False)
server_view.show_workers()
st.subheader(t("Queue"), anchor=False)
run_view.queue()
st.subheader(t("Machine"), anchor=False)
server_view.figures()
server_view.cache_size()
st.caption(t("Workspace: {folder}", folder=plain(store().home)))
st.subheader(t("Hub"), anchor=False)
server_view.hub()
st.subheader(t("Versions"), anchor=False)
server_view.versions()
