"""The words, in alphabetical order of the language that is shown."""

# ruff: noqa: E501  (one word a line, its meaning beside it)

from __future__ import annotations

import unicodedata

import streamlit as st

from tlcore.core.i18n import say, t
from tlcore.ui.learn.chapter import Chapter

# fmt: off
WORDS = (
    (say("Accuracy"), say("The share of examples that are answered right.")),
    (say("Arm"), say("One side of a comparison: the transfer arm, or its from-scratch twin.")),
    (say("Augmentation"), say("Small random changes to training pictures (crops, flips, light), so that they are not learned by heart.")),
    (say("Backbone"), say("Another word for the body: all of the model but its head.")),
    (say("Batch"), say("The examples that are looked at together in one step of training.")),
    (say("Bootstrap"), say("Drawing new test sets from the test examples, again and again, to see how much the score varies (Efron, 1979).")),
    (say("Bundle"), say("The zip that you download: weights, labels, preprocessing, ONNX, a model card, and a program that predicts.")),
    (say("Confidence"), say("The share that the model gives to its answer. It is not the chance of being right, though often near it.")),
    (say("Confusion matrix"), say("A table of true classes against predicted ones: what is taken for what, and how often.")),
    (say("Epoch"), say("One round through all training examples.")),
    (say("Evidence"), say("What was measured on your data before training.")),
    (say("Features"), say("The list of numbers into which the body turns an example.")),
    (say("Feature extraction"), say("Keeping the body frozen and fitting a simple head on its features.")),
    (say("Fine-tuning"), say("Training the transferred model further on your examples, with small steps.")),
    (say("Frozen"), say("Kept exactly as it is during training: weights and the averages of normalisation layers.")),
    (say("Grad-CAM"), say("A map of the places in a picture that spoke most for the answer (Selvaraju and others, 2017).")),
    (say("Head"), say("The last layer, which turns features into one number for each class.")),
    (say("Interval"), say("Between which values a figure plausibly lies; here always of 95 %.")),
    (say("Label"), say("The right answer to an example, given by a person.")),
    (say("Label savings"), say("How many more labels training from scratch would need to reach the same score.")),
    (say("Layer"), say("One step of the computation inside a network; a model is a chain of them.")),
    (say("Learning rate"), say("The size of the steps by which training corrects the weights.")),
    (say("Loss"), say("How wrong the model is, in the measure that training makes smaller.")),
    (say("Macro-F1"), say("Precision and recall of each class in one number, averaged so that each class counts the same, rare or not.")),
    (say("Negative transfer"), say("When the transferred model is worse than the one trained from scratch.")),
    (say("ONNX"), say("A file format for models that many programs can run without the one that trained them.")),
    (say("Over-fitting"), say("Learning the training examples by heart, at the cost of new ones.")),
    (say("Plan"), say("What a run will do: which parts are frozen, which are trained at which rate, and for how long.")),
    (say("Pre-training"), say("The training that made the source model; or more of it, on unlabelled data of your own.")),
    (say("Run"), say("One experiment: both arms, all seeds, and what came out.")),
    (say("Seed"), say("The number from which all chance in a run is drawn; the same seed gives the same run.")),
    (say("Source model"), say("The trained model from which is transferred.")),
    (say("Source task"), say("What the source model was trained to do.")),
    (say("Spec"), say("What you asked for, as a short file that the pages edit and the command line runs.")),
    (say("Split"), say("The division of the examples into training, validation and test.")),
    (say("Target task"), say("What your model is to do.")),
    (say("Test examples"), say("Examples that are used once, at the end, for the score.")),
    (say("Twin"), say("The same network trained from scratch on the same examples: what transfer is measured against.")),
    (say("Validation examples"), say("Examples on which settings are chosen: the rate, and when to stop.")),
    (say("Verdict"), say("Transfer helps, no clear difference, or negative transfer: read off the interval of the difference.")),
    (say("Weights"), say("The numbers inside a model that training finds.")),
)
# fmt: on


def _without_accents(word: str) -> str:
    return unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode().casefold()


def render() -> None:
    wanted = st.text_input(t("Find a word"), key="learn_glossary_find")
    shown = sorted(((t(word), t(meaning)) for word, meaning in WORDS), key=lambda pair: _without_accents(pair[0]))
    found = [pair for pair in shown if _without_accents(wanted or "") in _without_accents(" ".join(pair))]
    for word, meaning in found:
        st.markdown(t("**{word}**: {meaning}", word=word, meaning=meaning))
    if not found:
        st.caption(t("No word here matches {wanted}.", wanted=wanted))


CHAPTER = Chapter("glossary", say("Glossary"), render)
