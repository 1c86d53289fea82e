"""Chapter on negative transfer, similarity and dataset size."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, GREEN, ORANGE, PURPLE, axes, box, svg


def drawing() -> str:
    """Dataset size against similarity: four fields, each with the strategy to try first."""
    few_similar = t("few and similar: feature extraction; transfer is at its best here")
    many_similar = t("many and similar: fine-tuning; a gain in time, and often some in accuracy")
    few_different = t("few and different: the hard corner; look for a closer source, or for more labels")
    many_different = t("many and different: fine-tune everything, and look closely at the twin")
    across, up = t("examples of your own: few … many"), t("similarity of source and target: low … high")
    return svg(
        720,
        330,
        axes(60, 40, 640, 250, across, up),
        box(80, 55, 290, 105, few_similar, GREEN),
        box(395, 55, 290, 105, many_similar, BLUE),
        box(80, 175, 290, 105, few_different, ORANGE),
        box(395, 175, 290, 105, many_different, PURPLE),
    )


def render() -> None:
    st.markdown(
        t(
            "Transfer is a bet that what helped there helps here. When the bet is lost, the transferred "
            "model is *worse* than the one that was trained from scratch on the same examples. That is "
            "**negative transfer** (defined so by Wang and others, 2019). It is rarely dramatic and easily "
            "overlooked, since nobody looks at a model that was never trained."
        )
    )
    st.subheader(t("What decides: similarity and size"))
    st.image(
        drawing(),
        width="stretch",
        alt=t("Four fields by the number of examples and by similarity, each with the strategy to try first."),
    )
    st.markdown(
        t(
            "**Similarity** is about what a picture is made of, more than about what it is called. Photos of "
            "insects are close to photos of everyday things, even if no insect was among them; X-ray "
            "pictures, drawings and microscope slides are not. **Size** decides how much the head start is "
            "worth: with enough examples, training from scratch catches up."
        )
    )
    st.subheader(t("What was found elsewhere"))
    st.markdown(
        t(
            "- On two large sets of medical pictures, transfer from everyday photos brought *little benefit* "
            "in accuracy (Raghu and others, 2019).\n"
            "- On small sets of very similar classes, such as makes of cars, it brought *little* (Kornblith "
            "and others, 2019).\n"
            "- With long enough training on a large detection set, a model from scratch *caught up* (He and "
            "others, 2019).\n"
            "- Over 19 tasks with 1,000 examples each, a ResNet-50 reached 71 % by transfer; from scratch it "
            "reached 42 % with ordinary settings, and 59 % once its settings had been searched with care "
            "(Zhai and others, 2019)."
        )
    )
    st.markdown(
        t(
            "The last line is why a comparison has to be fair: against a twin that nobody tuned, any "
            "transfer looks splendid. The twin in this studio searches its own learning rate and may train "
            "as long as a full fine-tuning."
        )
    )
    st.subheader(t("Warning signs"))
    st.markdown(
        t(
            "- The source model needs pictures of another kind: colour where yours are grey, close up where "
            "yours are far away.\n"
            "- What you look for is smaller than what the model keeps: a hairline crack is gone in a picture "
            "of 64 pixels.\n"
            "- Mirrored or turned pictures mean something else in your task (letters, left and right): "
            "switch flips off.\n"
            "- The validation score falls as soon as the body is trained: the steps are too large, or the "
            "examples too few."
        )
    )
    st.subheader(t("What to do about it"))
    st.markdown(
        t(
            "Try another source model whose source data is closer to yours. Freeze less, or more. Give a larger "
            "picture size. Add labels where the confusion matrix shows that they are needed. And if the twin wins: "
            "take the twin. It is packed and downloaded in the same way, by choosing From scratch as the strategy."
        )
    )


CHAPTER = Chapter("negative-transfer", sentence("When transfer fails"), render)
