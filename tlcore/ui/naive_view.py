"""Against the naive: what takes one line, beside the trained model."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.ui.text import interval, score, sentence
from tlcore.words import number, t


def line(report: dict[str, Any]) -> None:
    """The finding in one sentence, in red where a one-liner is not clearly beaten."""
    told = (report.get("sentences") or {}).get("naive")
    if not told:
        return
    beaten = all(one["beaten"] for one in report.get("naive") or [] if one["beaten"] is not None)
    if beaten:
        st.markdown(":material/check: " + sentence(told))
    else:
        st.error(sentence(told), icon=":material/warning:")


def show(report: dict[str, Any]) -> None:
    """Every baseline with its score and what the trained model has over it."""
    entries = report.get("naive")
    if not entries:
        st.caption(t("This report is older than the comparison with naive baselines; run again to see it."))
        return
    rows = []
    for one in entries:
        row = {t("Baseline"): sentence(one["title"]), t("Score"): "–", t("Trained model minus baseline"): "–",
               t("Beaten"): "–"}  # fmt: skip
        if one["value"] is not None:
            low, high = one["difference"]["interval"]
            row |= {
                t("Score"): f"**{score(one['value'])}** ({interval(one['interval'])})",
                t("Trained model minus baseline"): _points(one["difference"]["value"], low, high),
                t("Beaten"): t("yes") if one["beaten"] else ":red[" + t("not clearly") + "]",
            }
        rows.append(row)
    st.table(rows, border="horizontal", hide_index=True)
    for one in entries:
        if one["reason"]:
            st.caption(sentence(one["title"]) + ": " + sentence(one["reason"]))
    st.caption(
        t(
            "Scores on the same {n} test examples; 95 % intervals from the bootstrap nested in seeds. Colours alone: a "
            "logistic regression on how often each of 64 colours occurs, its strength chosen on validation data.",
            n=report["n_test"],
        )
    )


def _points(value: float, low: float, high: float) -> str:
    bounds = t("{low} to {high}", low=number(100 * low, 1), high=number(100 * high, 1))
    points = t("{points} points", points=f"{'+' if value > 0 else ''}{number(100 * value, 1)}")
    return f"**{points}** ({bounds})"
