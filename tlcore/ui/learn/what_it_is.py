"""Chapter on what transfer learning is."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, GREEN, ORANGE, PURPLE, arrow, box, lines, svg


def drawing() -> str:
    """Two ways to a model: from scratch, and from a pre-trained model."""
    return svg(
        720,
        250,
        lines(10, 20, t("From scratch"), anchor="start", bold=True, size=15),
        box(10, 36, 170, 74, t("your few labelled pictures"), ORANGE),
        arrow(184, 73, 256, 73),
        box(260, 36, 200, 74, t("a model that starts from random numbers"), BLUE),
        arrow(464, 73, 536, 73),
        box(540, 36, 170, 74, t("knows only what your pictures showed"), PURPLE),
        lines(10, 144, t("By transfer"), anchor="start", bold=True, size=15),
        box(10, 160, 170, 74, t("your few labelled pictures"), ORANGE),
        arrow(184, 197, 256, 197),
        box(260, 160, 200, 74, t("a model that has already seen very many pictures"), GREEN),
        arrow(464, 197, 536, 197),
        box(540, 160, 170, 74, t("sees in general, and knows your classes"), PURPLE),
    )


def render() -> None:
    st.markdown(
        t(
            "Somebody who can play the piano learns the organ faster than somebody who has never touched a "
            "key. Reading notes, keeping time, moving the fingers: all of that carries over. Only the pedals "
            "and the stops are new."
        )
    )
    st.markdown(
        t(
            "**Transfer learning** is the same thing for models. A model that was trained on one task, with "
            "a great deal of data, is the starting point for another task, for which you have little data. "
            "What it learned about edges, textures, shapes and parts is kept; only what is special to your "
            "task is learned from your examples."
        )
    )
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "Two roads: from scratch, a model begins with random numbers; by transfer, it begins with what "
            "it learned before."
        ),
    )
    st.subheader(t("Why it works"))
    st.markdown(
        t(
            "The first layers of a network that was trained on photographs turn out to be much the same "
            "whatever the photographs showed: they find edges, colours and textures. Later layers become "
            "more and more special to the task. Yosinski and others measured this layer by layer (2014) and "
            "found that starting from transferred layers still helps after training on the new task, even "
            "when the two tasks are not close; the help shrinks as they grow apart."
        )
    )
    st.subheader(t("What you gain, and what you should ask"))
    st.markdown(
        t(
            "- **Fewer labels.** Often tens or hundreds of examples do what would otherwise take thousands.\n"
            "- **Less time.** Only a part of the model, or a few rounds, have to be trained.\n"
            "- **A steadier result.** The model depends less on which examples happened to be in your set."
        )
    )
    st.markdown(
        t(
            "None of this is certain. With much data of your own, or with pictures very unlike those that the model "
            "knew, the gain can be nothing, or less than nothing. That is why this studio trains a second model for "
            "every one that it transfers: the same network, from scratch, on the same examples. The difference between "
            "the two is what transfer brought *you*, and the report says how sure that is."
        )
    )
    st.caption(
        t(
            "To read on: S. J. Pan and Q. Yang, *A Survey on Transfer Learning* (2010); J. Yosinski and "
            "others, *How transferable are features in deep neural networks?* (2014); S. Kornblith and "
            "others, *Do Better ImageNet Models Transfer Better?* (2019)."
        )
    )


CHAPTER = Chapter("what-it-is", sentence("What transfer learning is"), render)
