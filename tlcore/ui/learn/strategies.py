"""Chapter on strategies: the five families, and additions from practice."""

from __future__ import annotations

import streamlit as st

from tlcore.core.i18n import sentence, t
from tlcore.ui.learn.chapter import Chapter
from tlcore.ui.learn.picture import BLUE, GREEN, GREY, ORANGE, box, lines, svg


def drawing() -> str:
    """The trained layers of each strategy: three rows of blocks from the input to the head."""
    frozen, slow, free, head = t("frozen"), t("small steps"), t("larger steps"), t("head")
    rows = [
        (t("Feature extraction"), [(frozen, GREY, True)] * 3),
        (t("Fine-tuning"), [(slow, BLUE, False), (slow, BLUE, False), (free, ORANGE, False)]),
        (t("Linear probe, then fine-tuning: first …"), [(frozen, GREY, True)] * 3),
        (t("… and then"), [(slow, BLUE, False)] * 3),
        (t("From scratch"), [(free, ORANGE, False)] * 3),
    ]
    pieces = []
    for i, (title, blocks) in enumerate(rows):
        y = 10 + i * 52
        pieces.append(lines(10, y + 20, title, anchor="start", size=14, width=210))
        pieces += [
            box(230 + k * 122, y, 114, 40, words, fill, dashed=dashed) for k, (words, fill, dashed) in enumerate(blocks)
        ]
        pieces.append(box(596, y, 114, 40, head, GREEN))
    return svg(720, 276, *pieces)


def render() -> None:
    st.markdown(
        t(
            "A strategy says which parts of the source model are kept as they are, which are trained further, at which "
            "rate, and on which data. The five families below are the ones the literature distinguishes."
        )
    )
    st.image(
        drawing(),
        width="stretch",
        alt=t(
            "For each strategy, which of the three blocks of the body are frozen and which are trained; the "
            "head always is."
        ),
    )
    st.subheader(t("Feature extraction"))
    st.markdown(
        t(
            "The body is frozen and turns each picture into features, once. A simple classifier is then "
            "fitted on the features, in seconds. *Helps* with few examples (below about 50 a class), with a "
            "source task close to yours, and where time is short. *Hurts* where the features miss what "
            "matters to you: nothing can be added to them. Simple features of large networks were found to "
            "be a surprisingly strong start (Razavian and others, 2014)."
        )
    )
    st.subheader(t("Fine-tuning"))
    st.markdown(
        t(
            "The whole model is trained further on your examples, with small steps, so that it bends towards your task "
            "without forgetting. *Helps* with more examples (hundreds and up), or where your pictures look different. "
            "*Hurts* with very few examples: the model learns them by heart. **Layer-wise rates** give the first "
            "layers, which are the most general, smaller steps than the last ones (Howard and Ruder, 2018)."
        )
    )
    st.subheader(t("Linear probe, then fine-tuning"))
    st.markdown(
        t(
            "First the head alone is fitted on frozen features, then everything is fine-tuned from there. A "
            "head of random numbers sends large, senseless corrections into the body at the start; a head "
            "that already fits does not. Kumar and others (2022) measured about one point more on data like "
            "the training data, and about ten on data that had shifted."
        )
    )
    st.subheader(t("Gradual unfreezing"))
    st.markdown(
        t(
            "As linear probe, then fine-tuning, but in more steps: after the head the layers next to it are trained, "
            "then ever more, down to the input (Howard and Ruder, 2018). The general layers, which took the most data "
            "to learn, are disturbed last. *Helps* with texts above all. *Costs* as much time as fine-tuning."
        )
    )
    st.subheader(t("LoRA"))
    st.markdown(
        t(
            "All weights stay as they are; beside each attention layer two thin matrices are trained, a few per cent "
            "of the weights at most (Hu and others, 2021). At the end they are added to the weights, so that the model "
            "is as large and as fast as before. *Helps* with large transformers, where training all weights takes too "
            "much memory. *Cannot be had* with networks without attention, such as ResNet or MobileNet."
        )
    )
    st.subheader(t("Two additions to fine-tuning"))
    st.markdown(
        t(
            "A **pull towards the source model** keeps the weights near where they started, and not near zero as usual "
            "(Li and others, 2018): with few examples less is forgotten. The **average of the best epochs** (a model "
            "soup: Wortsman and others, 2022) is often a little better than the best one alone; the studio keeps it "
            "only where validation data say so. Both are options of fine-tuning."
        )
    )
    st.subheader(t("Pre-training, then fine-tuning"))
    st.markdown(
        t(
            "Where you have many examples without labels, or with others than yours, the network first learns from "
            "those and is then fine-tuned on your labelled ones. Without labels it learns by a riddle that the data "
            "themselves pose: in texts, words are hidden and to be guessed (Devlin and others, 2019; Gururangan and "
            "others, 2020); of pictures, two strongly changed views are to be found again among those of all others "
            "(SimCLR: Chen and others, 2020). It goes on from the source model or starts from random weights, once for "
            "all seeds, and what it leaves is a source model of its own that can be published. *Helps* where your "
            "field looks unlike the source data and labels are few. *Costs* the most time and computing. The twin from "
            "scratch does not see the larger set: the difference tells what both, set and source, bring."
        )
    )
    st.subheader(t("Domain adaptation"))
    st.markdown(
        t(
            "The task stays, the surroundings change: labelled photos from the workshop, unlabelled ones "
            "from the customer's site. The model is trained so that the features of both look alike: by their "
            "statistics (AdaBN, CORAL, DAN), by a second network that tries to tell them apart and must not succeed "
            "(DANN: Ganin and others, 2016; CDAN), or by answers on the target domain that are to be clear (MCC, "
            "mean teacher). *Helps* with the same classes under another camera or light. *Hurts* where the shares of "
            "the classes differ between the two. Nothing is chosen by labels of the target domain; where you have "
            "some, they are kept for the score."
        )
    )
    st.subheader(t("Multi-task learning"))
    st.markdown(
        t(
            "One body learns two or more related tasks at the same time, with a head for each (Caruana, "
            "1997). *Helps* where a second label is at hand and the tasks need the same features. *Hurts* "
            "where the tasks pull in different directions."
        )
    )
    st.caption(
        t(
            "The step Strategy offers those that this version can run; it says why where one cannot be used "
            "with your data. From scratch is there too: it is what all of them are measured against."
        )
    )


CHAPTER = Chapter("strategies", sentence("The strategies"), render)
