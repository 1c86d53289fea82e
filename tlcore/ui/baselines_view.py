"""Simple baselines compared with the trained model."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.core.i18n import t
from tlcore.evaluation import score_text
from tlcore.report import score_units
from tlcore.ui.formatting import message


def line(report: dict[str, Any]) -> None:
    """The result in one sentence; in red if a baseline is not clearly beaten."""
    stored = (report.get("sentences") or {}).get("naive")
    if not stored:
        return
    beaten = all(one["beaten"] for one in report.get("naive") or [] if one["beaten"] is not None)
    if beaten:
        st.markdown(":material/check: " + message(stored))
    else:
        st.error(message(stored), icon=":material/warning:")


def show(report: dict[str, Any]) -> None:
    """All baselines with their scores and the trained model's difference from them."""
    entries = report.get("naive")
    if not entries:
        st.caption(t("This report is older than the comparison with simple baselines; run again to see it."))
        return
    rows, share = [], score_units.share(report)
    for one in entries:
        row = {
            t("Baseline"): message(one["title"]),
            t("Score"): "–",
            t("Trained model minus baseline"): "–",
            t("Beaten"): "–",
        }
        if one["value"] is not None:
            row |= {
                t("Score"): f"**{score_text.value(one['value'], share)}** ({score_text.span(one['interval'], share)})",
                t("Trained model minus baseline"): _signed_difference(one["difference"], share),
                t("Beaten"): t("yes") if one["beaten"] else ":red[" + t("not clearly") + "]",
            }
        rows.append(row)
    st.table(rows, border="horizontal", hide_index=True)
    for one in entries:
        if one["reason"]:
            st.caption(message(one["title"]) + ": " + message(one["reason"]))
    how = t(
        "Scores on the same {n} test examples; 95 % intervals from the bootstrap nested in seeds.", n=report["n_test"]
    )
    if any(one["id"] == "colours" for one in entries):
        how += " " + t(
            "Colours alone: a logistic regression on how often each of 64 colours occurs, its strength chosen on "
            "validation data."
        )
    st.caption(how)


def _signed_difference(difference: dict[str, Any], share: bool) -> str:
    value, interval = difference["value"], difference["interval"]
    return f"**{score_text.signed_difference(value, share)}** ({score_text.difference_span(interval, share)})"
