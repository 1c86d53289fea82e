"""Calibration: reliability diagram, calibration errors, and precision and recall of binary classifiers."""

from __future__ import annotations

from typing import Any

import streamlit as st

from tlcore.core.i18n import number, t
from tlcore.ui import charts
from tlcore.ui.formatting import message, plain


def show(report: dict[str, Any]) -> None:
    """All calibration results of the packed model."""
    calibration = report.get("calibration")
    if not calibration:
        st.caption(t("This report is older than the calibration; run again to see it."))
        return
    st.markdown(message(report["sentences"]["calibration"]))
    left, right = st.columns(2)
    with left:
        title = t("Stated confidence and share that was right, test data")
        charts.show(_reliability(calibration, title), "reliability", title)
    with right:
        _errors(calibration)
    if report.get("operating"):
        _operating(report["operating"])


def _errors(calibration: dict[str, Any]) -> None:
    names = {
        "ece": t("Expected calibration error"),
        "debiased": t("The same, chance taken off"),
        "brier": t("Brier score"),
    }
    rows = [
        {
            t("On test data"): title,
            t("Before"): _estimate(calibration["before"][key], key),
            t("Calibrated"): _estimate(calibration["after"][key], key),
        }
        for key, title in names.items()
    ]
    st.table(rows, border="horizontal", hide_index=True)
    change = calibration["change"]
    st.caption(
        t(
            "Calibration changed the expected calibration error by {change} points (95 % interval {low} to {high}, "
            "n = {n}).",
            change=round(100 * change["value"], 1) + 0.0,  # never "-0"
            low=round(100 * change["interval"][0], 1) + 0.0,
            high=round(100 * change["interval"][1], 1) + 0.0,
            n=calibration["n_test"],
        )
    )
    st.caption(
        t(
            "Errors are means over {bins} bins of equally many examples; in small test sets chance alone gives some "
            "error, which the second row takes off. Brier score: 0 is best, 2 worst.",
            bins=calibration["bins"],
        )
    )


def _estimate(estimate: dict[str, Any], key: str) -> str:
    scale, digits = (1, 3) if key == "brier" else (100, 1)
    low, high = (number(scale * end, digits) for end in estimate["interval"])
    unit = "" if key == "brier" else " %"
    bounds = t("{low} to {high}", low=low, high=high)
    return f"**{number(scale * estimate['value'], digits)}{unit}** ({bounds})"


def _reliability(calibration: dict[str, Any], title: str) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", name=t("as stated"), line={"color": "#888", "dash": "dot"})
    for side, name, colour, symbol in (
        ("before", t("before"), charts.SCRATCH, "diamond-open"),
        ("after", t("calibrated"), charts.TRANSFER, "circle"),
    ):
        bins = calibration[side]["reliability"]
        figure.add_scatter(
            x=[b["confidence"] for b in bins],
            y=[b["accuracy"] for b in bins],
            mode="lines+markers",
            name=name,
            marker={"color": colour, "symbol": symbol, "size": 9},
            line={"color": colour, "dash": "dash" if side == "before" else "solid"},
            customdata=[b["n"] for b in bins],
            hovertemplate="%{x:.1%} → %{y:.1%}, n = %{customdata}<extra></extra>",
            error_y={
                "type": "data",
                "symmetric": False,
                "color": colour,
                "thickness": 1,
                "array": [b["interval"][1] - b["accuracy"] for b in bins],
                "arrayminus": [b["accuracy"] - b["interval"][0] for b in bins],
            },
        )
    figure.update_layout(
        height=360,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"title": t("stated confidence"), "tickformat": ".0%", "range": [0, 1.02]},
        yaxis={"title": t("share that was right"), "tickformat": ".0%", "range": [0, 1.05]},
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
    )
    return figure


def _operating(operating: dict[str, Any]) -> None:
    """Precision and recall by threshold, for the positive class."""
    st.markdown("**" + t("Where to draw the line between the two classes") + "**")
    positive = st.segmented_control(
        t("The class that is looked for"),
        list(operating),
        default=list(operating)[-1],
        required=True,
        key="operating-class",
        format_func=plain,
    )
    title = t("Precision and recall by threshold: {label}", label=plain(positive))
    charts.show(operating_figure(operating[str(positive)], title), "operating", title)
    st.caption(
        t(
            "The model says the class from the threshold up. Choose a threshold on validation data; the test curve "
            "only shows what comes of it. On Share a threshold can be kept in the bundle."
        )
    )


def operating_figure(curves: dict[str, Any], title: str) -> Any:
    """Precision and recall by threshold, of validation (thin, dotted) and test data."""
    import plotly.graph_objects as go

    figure = go.Figure()
    splits = {"validation": (t("validation"), "dot", 1.5), "test": (t("test"), "solid", 2.5)}
    names = {"precision": (t("precision"), charts.TRANSFER), "recall": (t("recall"), charts.SCRATCH)}
    for split, (said, dash, width) in splits.items():
        points = curves[split]
        for key, (name, colour) in names.items():
            figure.add_scatter(
                x=[p["threshold"] for p in points],
                y=[p[key] for p in points],
                mode="lines",
                name=f"{name}, {said}",
                line={"color": colour, "dash": dash, "width": width, "shape": "hv"},
            )
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"title": t("threshold"), "range": [0, 1]},
        yaxis={"tickformat": ".0%", "range": [0, 1.03]},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.25, "yanchor": "top"},
    )
    return figure
