"""Chapter on the scratch baseline, intervals and the verdict."""

from __future__ import annotations

import math

import streamlit as st

from tlcore.core.i18n import number, sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, GREEN, ORANGE, interval, lines, svg, upright


def drawing() -> str:
    """Three intervals of a difference, with the verdict of each."""
    zero = 380
    return svg(
        720,
        210,
        upright(zero, 30, 180),
        lines(zero, 16, t("no difference"), size=13),
        lines(zero + 170, 16, t("transfer is better →"), size=13),
        lines(zero - 170, 16, t("← the twin is better"), size=13),
        interval(60, 450, 570, 510, GREEN),
        lines(10, 60, t("transfer helps"), anchor="start", bold=True),
        interval(110, 330, 460, 395, BLUE),
        lines(10, 110, t("no clear difference"), anchor="start", bold=True),
        interval(160, 210, 320, 265, ORANGE),
        lines(10, 160, t("negative transfer"), anchor="start", bold=True),
        lines(zero, 198, t("difference of the two scores, with its 95 % interval"), size=13),
    )


def wilson(right: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval (1927) for the share ``right`` / ``n``, as shares 0-1."""
    z, share = 1.959964, right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def render() -> None:
    st.subheader(t("The from-scratch twin"))
    st.markdown(
        t(
            "For each transfer run the studio trains a twin: the same network, the same training, validation "
            "and test examples, the same augmentation, and as many epochs and trials of the learning rate as "
            "a full fine-tuning would get. Only the start differs: random numbers instead of the source "
            "model's weights. So the difference between the two is what transfer brought, and nothing else."
        )
    )
    st.markdown(
        t(
            "Each arm is trained several times (three by default), each time from another seed, because "
            "chance decides the first weights and the order of the examples. A single pair of runs can "
            "differ by points for no reason at all."
        )
    )
    st.subheader(t("Why a score has an interval"))
    st.markdown(
        t(
            "The score comes from the test pictures that happened to be in your set. Others would have given "
            "a slightly different one. The 95 % interval says between which values the score plausibly lies "
            "for pictures of the same kind. More test pictures make it narrower. Try it:"
        )
    )
    n = st.slider(t("Test pictures"), 20, 2000, 100, 20, key="learn_verdict_n")
    low, high = wilson(round(0.9 * n), n)
    st.markdown(
        t(
            "With **{n}** test pictures and 90 of 100 right, the score lies between **{low} %** and **{high} %**.",
            n=n,
            low=number(100 * low, 1),
            high=number(100 * high, 1),
        )
    )
    st.caption(
        t(
            "Wilson's interval for a share (1927). The report draws its intervals by resampling your test "
            "pictures and the seeds, so they can be wider."
        )
    )
    st.subheader(t("The verdict"))
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "Three intervals: right of zero, transfer helps; across zero, no clear difference; left of zero, "
            "negative transfer."
        ),
    )
    st.markdown(
        t(
            "Both arms are scored on the same pictures, so the difference is taken picture by picture, and "
            "that makes it sharper than two separate scores. Its interval accounts for the pictures *and* "
            "for the seeds (a bootstrap nested in seeds). If all of it lies above zero, and the difference "
            "is large enough to matter: **transfer helps**. If all of it lies below: **negative transfer**. "
            "If zero is inside: **no clear difference**, which is an honest answer and not a failure."
        )
    )
    st.markdown(
        t(
            "- *No clear difference* does not say that the two are equal. With few test pictures a real "
            "difference can hide.\n"
            "- With one seed there are scores and intervals but no verdict: it would be one about luck.\n"
            "- In trials with two arms of the very same recipe, a resampling of the test pictures alone "
            "declared a winner in 21 to 34 of 100 comparisons; the nested one in 2 to 7.\n"
            "- A verdict is about your task, your examples and this recipe. It says nothing about other "
            "pictures, such as those of another camera."
        )
    )


CHAPTER = Chapter("verdict", sentence("The twin, intervals and the verdict"), render)
