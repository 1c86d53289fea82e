"""The evidence: what was measured on the user's data before training, and the button to measure it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import Sentence, number, percent, sentence, t
from tlcore.guidance.similarity import OF_TEXTS
from tlcore.tasks import find as find_task
from tlcore.ui import charts, job_view, ranking_view, text_view
from tlcore.ui.advice_view import unlabelled
from tlcore.ui.formatting import duration, interval, message, plain, score, short
from tlcore.ui.links import page_link
from tlcore.ui.state import owner, source_of, store
from tlcore.ui.thumbnails import data_url

if TYPE_CHECKING:
    from tlcore.data.dataset import Dataset
    from tlcore.guidance import Evidence
    from tlcore.guidance.data_size import LabelNoise, LearningCurve, Size
    from tlcore.guidance.similarity import Part
    from tlcore.store.tables import Job, Project

SHOWN = 12  # doubtful labels shown with pictures
PARTS: dict[str, tuple[Sentence, Sentence]] = {
    "statistics": (
        sentence("Statistics inside the network"),
        sentence(
            "Distance between what the batch-norm layers kept from the source's training and what your data give: "
            "{here}; examples made by code: {far}; the source's own data: {near}."
        ),
    ),
    "head": (
        sentence("What the source's own classes say"),
        sentence(
            "Energy of the source's head on your data: {here}; on examples made by code: {far}; on the source's own "
            "kind of data about {near}."
        ),
    ),
    "spread": (
        sentence("Spread of the features"),
        sentence(
            "Directions in which the features of your data vary: {here} of {dimensions}; examples made by code: {far}; "
            "the source's own kind of data about {near}."
        ),
    ),
    "fertility": (
        sentence("Pieces a word"),
        sentence(
            "Pieces that the source's tokenizer cuts a word into: {here} in your texts; {english} in ordinary English, "
            "{portuguese} in ordinary Portuguese, {far} in random letters."
        ),
    ),
    "surprise": (
        sentence("Surprise at hidden words"),
        sentence(
            "Surprise at words that are hidden from the source, in nats a word: {here} in your texts "
            "(pseudo-perplexity {perplexity} a piece); {english} in ordinary English, {portuguese} in ordinary "
            "Portuguese, {far} in random letters."
        ),
    ),
}
ESTIMATES: tuple[tuple[str, Sentence, Sentence], ...] = (
    ("probe", sentence("Linear probe"), sentence("accuracy of a linear head on the frozen features, cross-validated")),
    (
        "neighbours",
        sentence("Nearest neighbours"),
        sentence("accuracy of a vote of the 5 most alike examples, cross-validated"),
    ),
    ("log_me", "LogME", sentence("evidence of a linear model of the labels; higher is better")),
    ("h_score", "H-score", sentence("variance between classes against all variance; at most classes − 1")),
    ("leep", "LEEP", sentence("log-likelihood of your labels through the source's classes; at most 0")),
    ("n_leep", "NLEEP", sentence("the same through clusters of the features; at most 0")),
)


def show(project: Project, dataset: Dataset) -> None:
    """The state of the evidence (not measured, measuring, failed, measured), then the ranking of sources."""
    from tlcore import guidance

    source = source_of(project.draft)
    asked = {"task": dataset.info.task, "dataset": dataset.fingerprint, "source": source}
    shift = None
    if other := unlabelled(project):
        asked["unlabelled"] = other
        shift = guidance.domain_shift.kept(store(), dataset.fingerprint, other, source, owner())
    st.subheader(t("Measured on your data"), anchor=False)
    job = store().jobs.newest("measure", asked, owner())
    evidence = guidance.kept(store(), dataset.fingerprint, source)
    evidence = evidence and guidance.with_own_counts(evidence, dataset)
    if job is not None and job_view.live(job):
        job_view.watch(job, t("Stop measuring"), key="measure-cancel", title=t("Measuring"))
    elif evidence is None or not evidence.thorough:
        _offer(project, asked, job, partly=evidence is not None)
    elif other and shift is None:
        _offer_to_compare(project, asked, job)
    if evidence is not None:
        _measured(evidence, dataset)
    ranking_view.show(project, dataset, source)


def _offer(project: Project, asked: dict[str, Any], job: Job | None, *, partly: bool) -> None:
    job_view.ended_badly(job)
    if partly:
        st.caption(t("Only what the ranking needs was measured so far: no learning curve, no doubtful labels."))
    else:
        st.markdown(
            t(
                "Before anything is trained, the source model can look at your training and validation examples once: "
                "how much the data hold, how like they are to what the source knows, and how well its features tell "
                "your classes apart. The test set is not looked at."
            )
            if find_task(asked["task"]).labelled
            else t(
                "Before anything is trained, it can be measured how like your training examples are to what the source "
                "knows. The test set is not looked at."
            )
        )
    if st.button(t("Measure on your data"), type="primary", icon=":material/straighten:", key="measure-go"):
        job_view.submit(project, "measure", asked)


def _offer_to_compare(project: Project, asked: dict[str, Any], job: Job | None) -> None:
    job_view.ended_badly(job)
    st.markdown(
        t("The examples without labels were not looked at yet. The source model can say how far they are from yours.")
    )
    if st.button(t("Compare them with your data"), type="primary", icon=":material/compare:", key="compare-go"):
        job_view.submit(project, "measure", asked)


def _measured(evidence: Evidence, dataset: Dataset) -> None:
    estimates, size = evidence.transferability or {}, evidence.size
    with st.container(horizontal=True):
        st.metric(t("Training examples"), number(evidence.n_train), border=True, width=170)
        if evidence.n_per_class:
            st.metric(t("Smallest class"), number(evidence.fewest), border=True, width=170)
        similarity = evidence.similarity
        st.metric(t("Similarity, 0 to 1"), "–" if similarity is None else number(similarity, 2), border=True, width=170)
        if probe := estimates.get("probe"):
            st.metric(t("Linear probe"), score(probe["value"]), border=True, width=170)
    if evidence.relevance:
        st.markdown(message(evidence.relevance))
    if evidence.seconds is not None:
        st.caption(t("Measured in {time}, in one pass; a run uses the same features.", time=duration(evidence.seconds)))
    tabs: list[tuple[str, Callable[[], None]]] = [(t("Similarity"), lambda: _similarity(evidence))]
    if evidence.n_per_class:
        tabs.append((t("Transferability"), lambda: _transferability(estimates)))
    if size is not None:
        curve, noise = size.learning_curve, size.label_noise
        tabs.insert(0, (t("Amount of data"), lambda: _size(size, curve)))
        if noise is not None:
            tabs.append(
                (t("Doubtful labels ({n})", n=noise.count), lambda: _noise(noise, dataset, estimates.get("probe")))
            )
    for tab, (_, draw) in zip(st.tabs([name for name, _ in tabs]), tabs, strict=True):
        with tab:
            draw()


def _size(size: Size, curve: LearningCurve | None) -> None:
    if not size.per_class:
        amount = t("{n} usable examples.", n=size.usable)
    elif size.imbalance < 1.2:
        amount = t("{n} usable examples; the classes are about equally large.", n=size.usable)
    else:
        amount = t(
            "{n} usable examples; the largest class has {times} times the examples of the smallest.",
            n=size.usable,
            times=size.imbalance,
        )
    facts = [
        amount,
        t(
            "{exact} exact copies were rejected; {near} examples look almost the same as another one.",
            exact=size.exact_duplicates,
            near=size.near_duplicates,
        ),
    ]
    st.markdown("\n".join(f"- {plain(fact)}" for fact in facts))
    if curve is None and size.per_class:
        st.caption(t("The learning curve needs at least 20 examples, and is drawn once everything was measured."))
        return
    st.markdown(f":material/trending_up: **{message(curve.sentence)}**")
    title = t("Accuracy of a linear head by the number of labels")
    charts.show(_curve(curve, title), "evidence-curve", title)
    st.caption(
        t(
            "Each point is a linear head trained on so many examples and scored on others, by cross-validation over "
            "training and validation data; bars are 95 % intervals. The line is error = c + a · n^−b, fitted; the open "
            "mark is twice the labels. A network that is fine-tuned may gain more than a linear head."
        )
    )


def _curve(curve: LearningCurve, title: str) -> Any:
    import numpy as np
    import plotly.graph_objects as go

    def bars(points: list[Any]) -> dict[str, Any]:
        return {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, p.interval[1] - p.value) for p in points],
            "arrayminus": [max(0.0, p.value - p.interval[0]) for p in points],
        }

    figure = go.Figure()
    n = np.geomspace(curve.points[0].n, curve.doubled.n, 60)
    fitted = np.clip(1 - (curve.fit["c"] + curve.fit["a"] * n ** -curve.fit["b"]), 0, 1)
    figure.add_scatter(x=n, y=fitted, mode="lines", name=t("fitted"), line={"color": charts.TRANSFER, "dash": "dot"})
    figure.add_scatter(
        x=[round(p.n) for p in curve.points],
        y=[p.value for p in curve.points],
        mode="markers",
        name=t("measured"),
        marker={"color": charts.TRANSFER, "size": 10},
        error_y=bars(curve.points),
    )
    figure.add_scatter(
        x=[curve.doubled.n],
        y=[curve.doubled.value],
        mode="markers",
        name=t("twice the labels, expected"),
        marker={"color": charts.SCRATCH, "size": 12, "symbol": "diamond-open"},
        error_y=bars([curve.doubled]),
    )
    ticks = sorted({*(round(p.n) for p in curve.points), round(curve.doubled.n)})
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"type": "log", "title": t("labels"), "tickvals": ticks, "ticktext": [number(tick) for tick in ticks]},
        yaxis={"tickformat": ".0%"},
        legend={"orientation": "h", "y": -0.3, "yanchor": "top"},
    )
    return figure


def _similarity(evidence: Evidence) -> None:
    if evidence.similarity is None:
        st.caption(t("Nothing of this network tells how similar the data are."))
        return
    low, high = evidence.similarity_interval or (evidence.similarity, evidence.similarity)
    st.markdown(
        t(
            "Similarity of your data to what the source model knows: **{value}** (95 % interval {low} to {high}), on a "
            "scale from 0 (examples made by code) to 1 (its own kind of data).",
            value=number(evidence.similarity, 2),
            low=number(low, 2),
            high=number(high, 2),
        )
    )
    rows = [
        {
            t("Part"): t(PARTS[part.id][0]),
            t("Value"): number(part.value, 2),
            t("95 % interval"): t("{low} to {high}", low=number(part.interval[0], 2), high=number(part.interval[1], 2)),
        }
        for part in evidence.similarity_parts
    ]
    st.table(rows, border="horizontal", hide_index=True)
    with st.expander(t("How this is measured and calibrated"), icon=":material/tune:"):
        for part in evidence.similarity_parts:
            st.markdown(f"- **{plain(t(PARTS[part.id][0]))}**: {plain(_told(part))}")
        if any(part.id in OF_TEXTS for part in evidence.similarity_parts):
            st.caption(
                t(
                    "Both ends are measured through the same source: 0 is text of random letters, 1 is ordinary "
                    "English or Portuguese, whichever it reads better (60 short texts of each). At most 256 of your "
                    "texts are looked at. The language is told well, the subject hardly."
                )
            )
            return
        st.caption(
            t(
                "The out-of-distribution reference (0) of each part is measured through the same network: noise and "
                "drawings made by code. The in-distribution reference (1) of the first is no distance at all; that "
                "of the others is a fixed ratio to the first, measured on 500 photographs through networks that were "
                "trained on photographs."
            )
        )


def _told(part: Part) -> str:
    """The raw numbers of a part as text."""
    text = t(PARTS[part.id][1], **{name: float(f"{value:.3g}") for name, value in part.raw.items()})
    if "confidence" in part.raw:
        text += " " + t(
            "Its mean confidence on your data is {share}; that is not used, since networks are as sure of noise.",
            share=percent(part.raw["confidence"]),
        )
    return text


def _transferability(estimates: dict[str, Any]) -> None:
    if not estimates:
        st.caption(t("There is nothing to tell apart here, so transferability was not measured."))
        return
    rows = []
    for name, title, what in ESTIMATES:
        value = estimates.get(name)
        if isinstance(value, dict):
            text = t("{value} ({interval})", value=score(value["value"]), interval=interval(value["interval"]))
        else:
            text = "–" if value is None else number(value, 3)
        rows.append({t("Estimate"): t(title), t("Value"): text, t("What it is"): t(what)})
    st.table(rows, border="horizontal", hide_index=True)
    st.caption(
        t(
            "From the features of {n} training and validation examples. A dash: the source has no head of its own, or "
            "it was not measured yet.",
            n=estimates["n"],
        )
    )


def _noise(noise: LabelNoise, dataset: Dataset, probe: dict[str, Any] | None) -> None:
    if not noise.count:
        st.markdown(t("Among {n} examples no label looks doubtful.", n=noise.examined))
        return
    st.markdown(
        t(
            "{n} of {all} labels look doubtful ({share}; 95 % interval {interval}): a linear head that has not seen "
            "them would give another label. That is a reason to look, not a proof: where the classes are hard to tell "
            "apart, right labels are doubted too.",
            n=noise.count,
            all=noise.examined,
            share=percent(noise.share),
            interval=interval(noise.interval),
        )
    )
    if probe:
        st.caption(
            t(
                "The head itself is right in {value} of the cases: the fewer, the less its doubt means.",
                value=score(probe["value"]),
            )
        )
    import pandas as pd

    some = noise.suspects[:SHOWN]
    table = pd.DataFrame(
        {
            "file": [short(str(PurePosixPath(one.id)), 60) for one in some],
            "label": [one.label for one in some],
            "suggested": [one.suggested for one in some],
            "sure": [percent(one.confidence, 0) for one in some],
        }
    )
    if "file" in dataset.rows:
        table.insert(0, "picture", [data_url(dataset.file(one.file)) for one in some])
    else:
        words = dataset.rows.set_index("id")["text"]
        table.insert(0, "text", [text_view.short(words[one.id]) for one in some])
    st.dataframe(
        table,
        hide_index=True,
        row_height=56,
        column_config={
            "picture": st.column_config.ImageColumn(t("Picture"), width="small"),
            "text": st.column_config.TextColumn(t("Text"), width="large"),
            "file": t("File"),
            "label": t("Label"),
            "suggested": t("Suggested"),
            "sure": t("How sure"),
        },
    )
    if noise.count > len(some):
        st.caption(t("The {n} most doubtful of {all}.", n=len(some), all=noise.count))
    page_link("data", t("Correct labels on the Data page"), icon=":material/edit:")
