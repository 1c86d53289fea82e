"""Train: the run as it goes, the queue, the log; cancel and resume."""

import streamlit as st

from tlcore.ui import guard, live, walk
from tlcore.words import t

guard("train")

walk.heading(t("Train"), t("The run in the worker: you may close this tab, it goes on."))
project = walk.need_project()
picked = live.pick_run(project, key="train")
if picked is None:
    st.info(t("This project has no run yet."), icon=":material/info:")
    walk.forward("strategy", t("Go to Strategy to start one"))
else:
    live.watch(*picked)

st.subheader(t("Queue of this server"), anchor=False)
live.queue()
