"""Chapter on label savings: how many labels transfer is worth."""

from __future__ import annotations

import math

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, INK, ORANGE, arrow, axes, line, lines, svg

_LEFT, _WIDTH, _BOTTOM = 70, 600, 270


def _across(labels: float) -> float:
    """x in pixels of a number of labels (30 to 3,000) on a logarithmic axis."""
    return _LEFT + _WIDTH * math.log(labels / 30) / math.log(100)


def _up(score: float) -> float:
    """y in pixels of a score (0.5 to 1)."""
    return _BOTTOM - 215 * (score - 0.5) / 0.5


def drawing() -> str:
    """A sketch of score over labels for both arms, and the horizontal distance between them."""
    counts = [30 * 100 ** (i / 50) for i in range(51)]
    transfer = [(_across(n), _up(0.955 - 0.9 * n**-0.45)) for n in counts]
    scratch = [(_across(n), _up(0.94 - 2.4 * n**-0.5)) for n in counts]
    level = 0.955 - 0.9 * 120**-0.45
    equal = (2.4 / (0.94 - level)) ** 2
    y = _up(level)
    return svg(
        720,
        325,
        axes(
            _LEFT,
            40,
            _WIDTH + 30,
            _BOTTOM - 40,
            t("labelled examples (each step to the right multiplies them)"),
            t("score"),
        ),
        line(transfer, BLUE),
        lines(_across(2900), _up(0.958), t("transfer"), anchor="end", fill=BLUE, bold=True),
        line(scratch, ORANGE, dashed=True),
        lines(_across(60), _up(0.56), t("from scratch (dashed)"), anchor="start", fill=ORANGE, bold=True),
        arrow(_across(120), y, _across(equal), y),
        lines(_across(120) + 8, y + 16, t("label savings"), bold=True, size=13, anchor="start"),
        f"<circle cx='{_across(120):.1f}' cy='{y:.1f}' r='6' fill='{INK}'/>",
    )


def render() -> None:
    st.markdown(
        t(
            "A difference of some points of accuracy says little to somebody who pays for labels. The same "
            "difference can be said in labels: *how many more examples would training from scratch need to "
            "get where transfer is now?*"
        )
    )
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "Two curves of score against labels; the horizontal distance between them is the number of labels saved."
        ),
    )
    st.caption(
        t(
            "A sketch, not a measurement. Read it sideways: go right from the transfer curve until you meet "
            "the other one."
        )
    )
    st.subheader(t("What was found elsewhere"))
    st.markdown(
        t(
            "- Text: with 100 labels, a transferred language model did as well as one from scratch with 100 "
            "times as many (Howard and Ruder, 2018).\n"
            "- Text: with 8 labels a class, a small method came up to full fine-tuning on 3,000 examples, on "
            "customer reviews (Tunstall and others, 2022)."
        )
    )
    st.subheader(t("What to bear in mind"))
    st.markdown(
        t(
            "- The saving holds for one level of the score. It is large where the curves are flat and "
            "shrinks where they meet.\n"
            "- To read it off, both models have to be trained on parts of your examples, small ones to large "
            "ones. Beyond the number that you have, the from-scratch curve can only be continued by a fitted "
            "one, and the figure is an estimate.\n"
            "- Sometimes the from-scratch curve never gets there, or is there already.\n"
            "- A label that is wrong costs more than one that is missing: correct those that the page Data "
            "points out first."
        )
    )
    st.subheader(t("Measuring it on your data"))
    st.markdown(
        t(
            "Once a run with a from-scratch twin is finished, the page Compare measures it under *Label savings*: both "
            "arms are trained on nested parts of your training data, with several seeds each, and scored on the same "
            "test examples. It says how many labels training from scratch would need to be where transfer is, with a "
            "95 % interval, and whether that was seen or only extrapolated: at most to ten times the labels that you "
            "have."
        )
    )


CHAPTER = Chapter("label-savings", sentence("Label savings"), render)
