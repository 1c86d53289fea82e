"""Start: introduction, samples to try, and the user's projects."""

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui import guard, learn_link, projects_view

guard("start")

st.title("Transfer Learning Studio")
st.markdown(
    t(
        "Get a model worth using from a few labelled examples: start from one that has already seen much.  \n"
        "Every run is compared with a twin trained from scratch, so that you know whether transfer helped."
    )
)
learn_link("what-it-is", t("What is transfer learning?"))

st.header(t("Your projects"), anchor=False)
projects_view.new_project()
projects_view.cards()

st.header(t("Try a sample"), anchor=False)
st.caption(t("Small, bundled, and ready: from a click to a verdict in a few minutes, without internet."))
projects_view.samples()
