"""Server: workers, devices, queue, disk, versions, and whether the hub can be reached."""

import streamlit as st

from tlcore.ui import guard, live, servers, walk
from tlcore.ui.state import store
from tlcore.ui.text import plain
from tlcore.words import t

guard("server")

walk.heading(t("Server"), t("Who works here, what waits, and what is installed."))
st.subheader(t("Workers"), anchor=False)
servers.show_workers()
st.subheader(t("Queue"), anchor=False)
live.queue()
st.subheader(t("Machine"), anchor=False)
servers.figures()
st.caption(t("Workspace: {folder}", folder=plain(store().home)))
st.subheader(t("Hub"), anchor=False)
servers.hub()
st.subheader(t("Versions"), anchor=False)
servers.versions()
