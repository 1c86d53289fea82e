"""Scores of the packed model on slices of the test set, weakest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import number, t, translate
from tlcore.data.dataset import Dataset
from tlcore.evaluation import score_text
from tlcore.report import score_units
from tlcore.ui import text_view
from tlcore.ui.formatting import message, plain, short
from tlcore.ui.state import store
from tlcore.ui.thumbnails import gallery

if TYPE_CHECKING:
    from tlcore.store.tables import Run

SHOWN = 12  # most slices shown


def show(run: Run, report: dict[str, Any]) -> None:
    """The table of slices, and typical examples of the weakest clusters."""
    slices = report.get("slices")
    if slices is None:
        st.caption(t("This report is older than this comparison; run again to see it."))
        return
    rows = slices["rows"]
    if not rows:
        st.caption(t("No part of the test set has {n} examples or more.", n=slices["fewest"]))
        return
    weak = [row for row in rows if row["weak"]]
    if weak:
        names = [translate(row["name"]) for row in weak]
        st.warning(
            plain(t("Clearly weaker than on all test examples: {parts}.", parts=names)), icon=":material/warning:"
        )
    else:
        st.markdown(t("On no part of the test set is the model clearly weaker than on all of it."))
    st.table([_row(row, score_units.share(report)) for row in rows[:SHOWN]], border="horizontal", hide_index=True)
    how = {
        "features": t("Clusters are made by k-means on the source model's features of the test examples."),
        "outputs": t("Clusters are made by k-means on the model's outputs, since no features are kept."),
        None: t("There are too few test examples for clusters."),
    }
    st.caption(
        how[slices["by"]]
        + " "
        + t(
            "The model in the bundle on parts of {fewest} examples or more, 95 % intervals; p-values adjusted by "
            "Holm's method for {n} parts.",
            fewest=slices["fewest"],
            n=len(rows),
        )
    )
    _typical(run, [row for row in rows[:SHOWN] if row["examples"]])


def _row(row: dict[str, Any], share: bool) -> dict[str, str]:
    difference = row["difference"]
    kinds = {"column": t("column"), "cluster": t("cluster")}
    return {
        t("Part"): plain(short(translate(row["name"]), 44)),
        t("Kind"): kinds[row["kind"]],
        "n": number(row["n"]),
        t("Score"): f"**{score_text.value(row['score'], share)}** ({score_text.span(row['interval'], share)})",
        t("Against all"): f"{score_text.signed_difference(difference['value'], share)} "
        f"({score_text.difference_span(difference['interval'], share)})",
        t("p, adjusted"): number(row["adjusted"], 3),
        t("Weak"): ":red[" + t("yes") + "]" if row["weak"] else "–",
    }


def _typical(run: Run, clusters: list[dict[str, Any]]) -> None:
    """Typical pictures of each cluster, the weakest cluster first."""
    if not clusters:
        return
    try:
        dataset = Dataset.open(store(), str(run.dataset), run.owner)
    except UnusableInput as error:
        st.error(message(error.sentence), icon=":material/error:")
        return
    chosen = st.selectbox(
        t("Typical examples of the cluster"),
        list(range(len(clusters))),
        key=f"cluster-{run.id}",
        width=520,
        format_func=lambda i: f"{i + 1}. {short(translate(clusters[i]['name']), 48)}",
    )
    examples = clusters[chosen]["examples"]
    if "text" in examples[0]:
        text_view.examples(examples)
        return
    gallery([dataset.file(one["file"]) for one in examples], [short(str(one["id"]), 24) for one in examples])
