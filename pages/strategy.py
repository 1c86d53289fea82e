"""Strategy: advice, choice, options, the Plan before it runs, and the Spec as text."""

import streamlit as st

from tlcore.data.dataset import Dataset
from tlcore.errors import StudioError
from tlcore.ui import advice_view, choices, evidence_view, further_sets, guard, learn_link, race_view, texts, walk
from tlcore.ui.state import draft_spec, source_of, store
from tlcore.ui.state import project as open_project
from tlcore.ui.text import sentence
from tlcore.words import t

guard("strategy")

walk.heading(t("Strategy"), t("How the source model's knowledge is transferred, and what exactly will be done."))
project = walk.need_project()
fingerprint = walk.need_data(project)

try:
    dataset = Dataset.open(store(), fingerprint)
except StudioError as error:
    st.error(sentence(error.sentence), icon=":material/error:")
    st.stop()

texts.language_warning(source_of(project.draft), dataset.rows)
advised = advice_view.show(project, dataset).strategy
evidence_view.show(project, dataset)
learn_link("strategies", t("The strategies explained"))
further_sets.show(project, choices.choose(project, advised))
project = open_project() or project

st.subheader(t("Options"), anchor=False)
st.caption(t("Empty fields are left to the studio."))
choices.sample_note(project)
choices.options(project)

project = open_project() or project
try:
    spec = draft_spec(project)
except StudioError as error:
    st.error(sentence(error.sentence), icon=":material/error:")
    st.stop()

st.subheader(t("Pilot race"), anchor=False)
race_view.show(project, spec, dataset)

st.subheader(t("The plan"), anchor=False)
ready = choices.plan(spec, dataset)
learn_link("verdict", t("Why a twin from scratch?"))
choices.start(project, ready)
with st.expander(t("The spec as YAML, and the command line"), icon=":material/code:"):
    choices.as_text(spec)
