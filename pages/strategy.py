"""Strategy: advice, choice, options, preview of the Plan, and the Spec as text."""

import streamlit as st

from tlcore.core.errors import StudioError
from tlcore.core.i18n import t
from tlcore.data.dataset import Dataset
from tlcore.ui import (
    advice_view,
    auxiliary_datasets_view,
    evidence_view,
    guard,
    learn_link,
    pilot_view,
    strategy_view,
    text_view,
    walk,
)
from tlcore.ui.formatting import message
from tlcore.ui.state import draft_spec, owner, source_of, store
from tlcore.ui.state import project as open_project

guard("strategy")

walk.heading(t("Strategy"), t("How the source model's knowledge is transferred, and what exactly will be done."))
project = walk.need_project()
fingerprint = walk.need_data(project)

try:
    dataset = Dataset.open(store(), fingerprint, owner())
    text_view.language_warning(source_of(project.draft), dataset.rows)
except StudioError as error:
    st.error(message(error.sentence), icon=":material/error:")
    st.stop()

advised = advice_view.show(project, dataset).strategy
evidence_view.show(project, dataset)
learn_link("strategies", t("The strategies explained"))
auxiliary_datasets_view.show(project, strategy_view.choose(project, advised))
project = open_project() or project

st.subheader(t("Options"), anchor=False)
st.caption(t("Empty fields are left to the studio."))
strategy_view.sample_note(project)
strategy_view.options(project)

project = open_project() or project
try:
    spec = draft_spec(project)
except StudioError as error:
    st.error(message(error.sentence), icon=":material/error:")
    st.stop()

st.subheader(t("Pilot"), anchor=False)
pilot_view.show(project, spec, dataset)

st.subheader(t("The plan"), anchor=False)
ready = strategy_view.plan(spec, dataset)
learn_link("verdict", t("Why a twin from scratch?"))
strategy_view.start(project, ready)
with st.expander(t("The spec as YAML, and the command line"), icon=":material/code:"):
    strategy_view.as_text(spec)
