"""Chapter on over-fitting and learning curves."""

from __future__ import annotations

import math

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, ORANGE, axes, line, lines, svg, upright


def drawing() -> str:
    """A sketch of loss over epochs: training loss keeps falling, validation loss falls and then rises."""
    across = [i / 40 for i in range(41)]
    train = [(80 + 600 * x, 60 + 190 * (1 - math.exp(-3.2 * x))) for x in across]
    validation = [(80 + 600 * x, 60 + 150 * (1 - math.exp(-5 * x)) - 75 * max(0.0, x - 0.35) ** 1.3) for x in across]
    best = max(validation, key=lambda point: point[1])[0]  # y grows downwards, so this is the lowest loss
    return svg(
        720,
        320,
        axes(60, 40, 640, 240, t("epochs"), t("loss (lower is better)")),
        line(train, BLUE),
        lines(690, 216, t("training"), anchor="end", fill=BLUE, bold=True),
        line(validation, ORANGE, dashed=True),
        lines(690, 148, t("validation (dashed)"), anchor="end", fill=ORANGE, bold=True),
        upright(best, 50, 280),
        lines(best + 8, 60, t("the state that is kept"), anchor="start", size=13),
    )


def render() -> None:
    st.markdown(
        t(
            "A model that learns its training examples by heart has **over-fitted**: it answers them "
            "perfectly and new ones badly. It is the pupil who knows the answers to last year's examination. "
            "Few examples and a large network make it likely."
        )
    )
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "The training loss keeps falling while the validation loss falls, turns, and rises; the state at "
            "the turn is kept."
        ),
    )
    st.caption(t("A sketch, not a measurement. Your own curves are on the pages Train and Compare."))
    st.subheader(t("How to see it"))
    st.markdown(
        t(
            "- **The gap.** Compare shows, for both arms, the score on training examples minus the score on "
            "validation examples. A small gap is normal. A gap of 20 points with 100 % on training examples "
            "means that the model knows them by heart.\n"
            "- **The curves.** Training loss falls, validation loss turns and rises.\n"
            "- **The twin.** From scratch, over-fitting usually comes earlier: there is less to hold on to."
        )
    )
    st.subheader(t("What the studio does about it"))
    st.markdown(
        t(
            "- **Early stopping**: training ends when the validation score has not improved for some epochs, "
            "and the best state is kept, not the last.\n"
            "- **Augmentation**: each epoch shows each picture a little differently (cropped, mirrored, "
            "other light), so that it cannot be learned by heart. Switch mirroring off where it changes the "
            "meaning.\n"
            "- **A restrained head**: on frozen features, how strongly the head is restrained is chosen on "
            "validation examples."
        )
    )
    st.subheader(t("What you can do"))
    st.markdown(
        t(
            "- Collect more examples of the classes that are confused: it helps more than any setting.\n"
            "- Freeze more: choose feature extraction, or a smaller source model.\n"
            "- See to it that near-copies do not lie on both sides of the split. Several pictures of one "
            "patient or one product belong together: name the column or the part of the file name that tells "
            "them apart, on the page Data. Otherwise the test score praises a memory, not an understanding."
        )
    )


CHAPTER = Chapter("over-fitting", sentence("Over-fitting"), render)
