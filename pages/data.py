"""Data: upload, checks, corrections, split, confirm; then the content of the dataset."""

import streamlit as st

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import t
from tlcore.data.dataset import Dataset
from tlcore.ui import dataset_deletion_view, dataset_view, guard, upload_review, upload_view, walk
from tlcore.ui.formatting import message
from tlcore.ui.state import CHECK, change_draft, owner, store

guard("data")

walk.heading(t("Data"), t("Upload your examples. They are checked and shown before they become a dataset."))
project = walk.need_project()
if not project.draft.get("task"):
    st.info(t("Choose first what is to be learned."), icon=":material/info:")
    walk.forward("source", t("Go to Source"))
    st.stop()

fingerprint = (project.draft.get("data") or {}).get("dataset")
job = store().jobs.get(project.draft[CHECK]) if project.draft.get(CHECK) else None

if fingerprint:
    try:
        dataset_view.confirmed(project, Dataset.open(store(), fingerprint, owner()))
    except UnusableInput as error:
        st.error(message(error.sentence), icon=":material/error:")
    else:
        walk.forward("strategy", t("Next: choose a strategy"))
    if st.button(t("Use other data"), icon=":material/upload:", key="replace-data"):
        change_draft(project, data=None, corrections=None)
        st.rerun()
elif job is not None:
    upload_review.show(project, job)
else:
    upload_view.form(project)

dataset_deletion_view.show(fingerprint)
