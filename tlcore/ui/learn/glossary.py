"""The glossary, in alphabetical order of the current language."""

# ruff: noqa: E501  (one word and its meaning per line)

from __future__ import annotations

import unicodedata

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter

# fmt: off
WORDS = (
    (sentence("Accuracy"), sentence("The share of examples that are answered right.")),
    (sentence("Arm"), sentence("One side of a comparison: the transfer arm, or its from-scratch twin.")),
    (sentence("Augmentation"), sentence("Small random changes to training pictures (crops, flips, light), so that they are not learned by heart.")),
    (sentence("Backbone"), sentence("Another word for the body: all of the model but its head.")),
    (sentence("Batch"), sentence("The examples that are looked at together in one step of training.")),
    (sentence("Bootstrap"), sentence("Drawing new test sets from the test examples, again and again, to see how much the score varies (Efron, 1979).")),
    (sentence("Bundle"), sentence("The zip that you download: weights, labels, preprocessing, ONNX, a model card, and a program that predicts.")),
    (sentence("Confidence"), sentence("The share that the model gives to its answer. It is not the chance of being right, though often near it.")),
    (sentence("Confusion matrix"), sentence("A table of true classes against predicted ones: what is taken for what, and how often.")),
    (sentence("Epoch"), sentence("One round through all training examples.")),
    (sentence("Evidence"), sentence("What was measured on your data before training.")),
    (sentence("Features"), sentence("The list of numbers into which the body turns an example.")),
    (sentence("Feature extraction"), sentence("Keeping the body frozen and fitting a simple head on its features.")),
    (sentence("Fine-tuning"), sentence("Training the transferred model further on your examples, with small steps.")),
    (sentence("Frozen"), sentence("Kept exactly as it is during training: weights and the averages of normalisation layers.")),
    (sentence("Grad-CAM"), sentence("A map of the places in a picture that spoke most for the answer (Selvaraju and others, 2017).")),
    (sentence("Head"), sentence("The last layer, which turns features into one number for each class.")),
    (sentence("Interval"), sentence("Between which values a figure plausibly lies; here always of 95 %.")),
    (sentence("Label"), sentence("The right answer to an example, given by a person.")),
    (sentence("Label savings"), sentence("How many more labels training from scratch would need to reach the same score.")),
    (sentence("Layer"), sentence("One step of the computation inside a network; a model is a chain of them.")),
    (sentence("Learning rate"), sentence("The size of the steps by which training corrects the weights.")),
    (sentence("Loss"), sentence("How wrong the model is, in the measure that training makes smaller.")),
    (sentence("Macro-F1"), sentence("Precision and recall of each class in one number, averaged so that each class counts the same, rare or not.")),
    (sentence("Negative transfer"), sentence("When the transferred model is worse than the one trained from scratch.")),
    (sentence("ONNX"), sentence("A file format for models that many programs can run without the one that trained them.")),
    (sentence("Over-fitting"), sentence("Learning the training examples by heart, at the cost of new ones.")),
    (sentence("Plan"), sentence("What a run will do: which parts are frozen, which are trained at which rate, and for how long.")),
    (sentence("Pre-training"), sentence("The training that made the source model; or more of it, on unlabelled data of your own.")),
    (sentence("Run"), sentence("One experiment: both arms, all seeds, and what came out.")),
    (sentence("Seed"), sentence("The number from which all chance in a run is drawn; the same seed gives the same run.")),
    (sentence("Source model"), sentence("The trained model from which is transferred.")),
    (sentence("Source task"), sentence("What the source model was trained to do.")),
    (sentence("Spec"), sentence("What you asked for, as a short file that the pages edit and the command line runs.")),
    (sentence("Split"), sentence("The division of the examples into training, validation and test.")),
    (sentence("Target task"), sentence("What your model is to do.")),
    (sentence("Test examples"), sentence("Examples that are used once, at the end, for the score.")),
    (sentence("Twin"), sentence("The same network trained from scratch on the same examples: what transfer is measured against.")),
    (sentence("Validation examples"), sentence("Examples on which settings are chosen: the rate, and when to stop.")),
    (sentence("Verdict"), sentence("Transfer helps, no clear difference, or negative transfer: read off the interval of the difference.")),
    (sentence("Weights"), sentence("The numbers inside a model that training finds.")),
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


CHAPTER = Chapter("glossary", sentence("Glossary"), render)
