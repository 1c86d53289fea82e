"""Chapter on terms: source model, source task, target task, features, head, frozen."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, GREEN, GREY, ORANGE, arrow, box, lines, svg


def drawing() -> str:
    """The source model above, the target model below: the backbone is transferred, the head is new."""
    return svg(
        720,
        280,
        lines(10, 24, t("Source model: trained on the source task"), anchor="start", bold=True, size=15),
        box(10, 42, 100, 60, t("very many pictures"), ORANGE),
        arrow(114, 72, 146, 72),
        box(150, 42, 330, 60, t("body: turns a picture into features")),
        arrow(484, 72, 516, 72),
        box(520, 42, 190, 60, t("its head: 1,000 everyday things"), GREY),
        arrow(315, 106, 315, 176),
        lines(330, 140, t("the body is carried over"), anchor="start", size=13),
        arrow(615, 106, 615, 124, dashed=True),
        lines(615, 140, t("the old head is taken off"), size=13),
        lines(10, 164, t("Your model: for the target task"), anchor="start", bold=True, size=15),
        box(10, 182, 100, 60, t("your pictures"), ORANGE),
        arrow(114, 212, 146, 212),
        box(150, 182, 330, 60, t("the same body, frozen or trained gently"), BLUE, dashed=True),
        arrow(484, 212, 516, 212),
        box(520, 182, 190, 60, t("a new head: your classes"), GREEN),
        lines(315, 262, t("dashed outline: can be frozen"), size=13),
        lines(615, 262, t("always trained"), size=13),
    )


def render() -> None:
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "The body of the source model is carried over to your model; its head is replaced by a new one "
            "for your classes."
        ),
    )
    st.markdown(
        t(
            "**Source model.** A network that somebody has trained already, with its weights: the numbers "
            "that training found. The catalogue of the studio says for each what it was trained on, how "
            "large it is, and under which licence it may be used."
        )
    )
    st.markdown(
        t(
            "**Source task** and **target task.** The source task is what the source model learned, for "
            "example to tell 1,000 kinds of everyday things apart. The target task is yours. The closer they "
            "are, the more carries over."
        )
    )
    st.markdown(
        t(
            "**Features.** On its way through the body a picture becomes a list of numbers, a few hundred to "
            "a few thousand: how much of this texture, how much of that shape. Two pictures that look alike "
            "to the model have similar lists. Everything after that works on the list, not on the picture."
        )
    )
    st.markdown(
        t(
            "**Head.** The last layer, which turns features into an answer: one number for each class. The "
            "source model's head answers the source task, so it is taken off and a new one, for your "
            "classes, is put in its place."
        )
    )
    st.markdown(
        t(
            "**Frozen.** A frozen part keeps its weights exactly as they are while the rest is trained. In this studio "
            "it also keeps the running averages inside its normalisation layers, which many programs forget and which "
            "quietly changes a model that was said to be frozen. A frozen body has a useful side: each picture has to "
            "go through it only once, and the head is then found in seconds."
        )
    )
    st.markdown(
        t(
            "**Learning rate.** How large a step training takes each time it corrects the weights. A new "
            "head needs large steps; a body that already knows something needs small ones, or it forgets. "
            "That is the reason for most of what is in the chapter on strategies."
        )
    )
    st.markdown(
        t(
            "**Training, validation and test examples.** Your examples are divided once. The *training* "
            "examples teach; the *validation* examples choose (how long to train, at which rate); the *test* "
            "examples are looked at a single time, at the end, for the score. A score on examples that "
            "helped to choose is always too good."
        )
    )


CHAPTER = Chapter("parts", sentence("The parts and their names"), render)
