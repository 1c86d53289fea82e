"""Share: try the model, predict many, download the bundle, publish to the library."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.store.tables import SUCCEEDED
from tlcore.ui import guard, pretrained_view, run_view, share_view, threshold_view, walk
from tlcore.ui.state import store

guard("share")

walk.heading(t("Share"), t("Try the model, take it away, or give it to everybody on this server."))
project = walk.need_project()
picked = run_view.pick_run(project, key="share", only=(SUCCEEDED,))
if picked is None:
    st.info(t("This project has no finished run yet."), icon=":material/info:")
    walk.forward("train", t("Go to Train"))
    st.stop()

run, job = picked
path = store().runs.folder(run.id) / "bundle.zip"

st.subheader(t("Try it"), anchor=False)
share_view.try_it(path, run.id, run.task)
st.subheader(t("Take it away"), anchor=False)
share_view.bundle(path, run.name)
threshold_view.show(path, run.report or {})
st.subheader(t("Predict many"), anchor=False)
share_view.batch(run)
st.subheader(t("Publish"), anchor=False)
share_view.publish(run, path)
pretrained_view.publish(run)
walk.forward("library", t("See the library"), "secondary")
