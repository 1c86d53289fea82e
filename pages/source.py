"""Source: the choice of task and source model."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import guard, learn_link, source_view, walk

guard("source")

walk.heading(t("Source"), t("What is to be learned, and the model that has already learned something like it."))
project = walk.need_project()

st.subheader(t("Task"), anchor=False)
task = source_view.choose_task(project)
if task is None:
    st.caption(t("Choose a task to see the models that can serve it."))
    st.stop()

st.subheader(t("Source model"), anchor=False)
learn_link("parts", t("What is a source model?"))
source_view.choose_source(project, task)
own = st.expander(t("Use a model of your own"), icon=":material/upload:", key="own-model", on_change="rerun")
if own.open:
    with own:
        source_view.own_model(project)
walk.forward("data", t("Next: the data"))
