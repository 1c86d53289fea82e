"""Train: live progress of the run, queue, log; cancel and resume."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import guard, run_view, walk

guard("train")

walk.heading(t("Train"), t("The run in the worker: you may close this tab, it goes on."))
project = walk.need_project()
picked = run_view.pick_run(project, key="train")
if picked is None:
    st.info(t("This project has no run yet."), icon=":material/info:")
    walk.forward("strategy", t("Go to Strategy to start one"))
else:
    run_view.watch(*picked)

st.subheader(t("Queue of this server"), anchor=False)
run_view.queue()
