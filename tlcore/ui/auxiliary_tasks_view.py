"""Multi-task learning on Compare: each task trained jointly and as a single-task baseline."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.core.i18n import number, sentence, t
from tlcore.ui.formatting import interval, message, plain, score

CHANGES = {"gains": sentence("gains"), "loses": sentence("loses"), "unclear": sentence("no clear difference")}


def show(report: dict[str, Any]) -> None:
    """The summary, and one row per task."""
    rows = report["tasks"]
    words = {change: t(word) for change, word in CHANGES.items()}
    st.markdown(message(report["sentences"]["tasks"]))
    table = [
        {
            t("Task"): name(row["title"]),
            t("Together"): f"{score(row['together']['value'])} [{interval(row['together']['interval'])}]",
            t("Alone"): f"{score(row['alone']['value'])} [{interval(row['alone']['interval'])}]",
            t("Difference"): t(
                "{points} points ({low} to {high})",
                points=number(100 * row["difference"]["value"], 1),
                low=number(100 * row["difference"]["interval"][0], 1),
                high=number(100 * row["difference"]["interval"][1], 1),
            ),
            t("Change"): words[row["change"]],
            "n": number(row["n"], 0),
        }
        for row in rows
    ]
    st.table(table, border="horizontal", hide_index=True)
    st.caption(
        t(
            "Single-task baseline: the same source model fine-tuned on that task only, with the same epochs and "
            "seeds. Intervals of 95 %; whether a task gains or loses is decided for all tasks together (Holm)."
        )
    )


def name(title: Any) -> str:
    """The name of a task: a column name of the user, or a Sentence."""
    return plain(title) if isinstance(title, str) else message(title)
