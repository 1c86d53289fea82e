"""Plotly figures. Colour is never the only signal: the scratch baseline is dashed, bars carry numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from tlcore.core.i18n import Sentence, language, number, sentence, t

if TYPE_CHECKING:
    import pandas as pd

# Colour scale of row shares in a confusion matrix, explicit so that both themes show the same cells.
SHARES = ((0.0, "#eaf2fb"), (0.45, "#7fb2dc"), (1.0, "#08468b"))
WHITE_FROM = 0.74  # row share from which labels are white; black and white contrast equally here (4.5 : 1)
TRANSFER, SCRATCH = "#0072b2", "#d55e00"  # Okabe-Ito, colour-blind safe
ARMS: dict[str, tuple[Sentence, str, str]] = {
    "transfer": (sentence("transfer"), TRANSFER, "solid"),
    "plainer": (sentence("ablation"), "#009e73", "dot"),
    "twin": (sentence("from scratch"), SCRATCH, "dash"),
}
CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    "responsive": True,
}


def show(figure: Any, key: str, alt: str) -> None:
    """Draw a figure with the standard settings and the number format of the current language."""
    figure.update_layout(separators=",." if language() == "pt_BR" else ".,")
    st.plotly_chart(figure, key=key, config=CONFIG, alt=alt)


def bars(names: list[str], values: list[float], *, title: str, digits: int = 0, share: bool = False) -> Any:
    """A horizontal bar chart with a number on each bar."""
    import plotly.graph_objects as go

    texts = [f"{number(100 * v, 1)} %" if share else number(v, digits) for v in values]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[_cut(name) for name in names],
            orientation="h",
            text=texts,
            textposition="auto",
            marker_color=TRANSFER,
            hovertext=names,
            hoverinfo="text+x",
        )
    )
    figure.update_layout(
        height=90 + 28 * len(names),
        margin={"l": 8, "r": 8, "t": 30, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"visible": False},
        yaxis={"autorange": "reversed", "type": "category"},
        showlegend=False,
    )
    if share:
        figure.update_xaxes(range=[0, 1])
    return figure


def split_counts(counts: pd.DataFrame) -> Any:
    """A stacked bar chart of the examples of each class (rows) in each split (columns)."""
    import plotly.graph_objects as go

    names = {"train": t("training"), "validation": t("validation"), "test": t("test")}
    shades = {"train": "#0072b2", "validation": "#009e73", "test": "#8250df"}
    patterns = {"train": "", "validation": "/", "test": "x"}
    figure = go.Figure()
    for split in counts.columns:
        figure.add_bar(
            y=[_cut(str(name)) for name in counts.index],
            x=counts[split],
            orientation="h",
            name=names.get(split, split),
            text=counts[split],
            marker_color=shades.get(split),
            marker_pattern_shape=patterns.get(split, ""),
        )
    figure.update_layout(
        barmode="stack",
        height=110 + 28 * len(counts),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        xaxis_title=t("examples"),
        yaxis={"autorange": "reversed", "type": "category"},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure


def curves(points: pd.DataFrame, column: str, *, against: str = "epoch", title: str = "", share: bool = True) -> Any:
    """Curves of one column for all arms: a thin line per seed, and a thick line for their mean.

    ``points`` as the store returns them: arm, seed, trial, phase, epoch, seconds, and the values.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    if not points.empty and column in points:
        final = points[(points["trial"] == "final") & points[column].notna()]
        for arm, (name, colour, dash) in ARMS.items():
            of_arm = final[final["arm"] == arm].copy()
            if of_arm.empty:
                continue
            of_arm["step"] = _steps(of_arm) if against == "epoch" else of_arm["seconds"]
            for seed, line in of_arm.groupby("seed"):
                figure.add_scatter(
                    x=line["step"],
                    y=line[column],
                    mode="lines+markers" if len(line) < 3 else "lines",
                    line={"color": colour, "dash": dash, "width": 1.2},
                    opacity=0.55,
                    showlegend=False,
                    name=t("{arm}, seed {seed}", arm=name, seed=int(str(seed))),
                )
            mean = of_arm.groupby("step")[column].mean() if against == "epoch" else None
            last = mean if mean is not None else of_arm.set_index("step")[column].sort_index()
            figure.add_scatter(
                x=last.index,
                y=last.values,
                mode="lines+markers" if mean is not None else "markers",
                line={"color": colour, "dash": dash, "width": 3},
                marker={"size": 5},
                name=t(name),
                opacity=1.0 if mean is not None else 0.6,
            )
    figure.update_layout(
        height=300,
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"title": t("epoch") if against == "epoch" else t("seconds"), "rangemode": "tozero"},
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.3, "yanchor": "top"},
        uirevision=column,
    )
    if against == "epoch" and (points.empty or points["epoch"].max() < 12):
        figure.update_xaxes(dtick=1)
    if share:
        figure.update_yaxes(tickformat=".0%")
    return figure


def _steps(points: pd.DataFrame) -> pd.Series:
    """Epochs counted over all phases of each seed."""
    longest = points.groupby("phase")["epoch"].max()
    before = (longest.cumsum() - longest).to_dict()
    return points["epoch"] + points["phase"].map(before)


def _cut(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def confusion(counts: list[list[int]], labels: list[str], *, title: str) -> Any:
    """Confusion matrix: counts of truth (rows) and prediction (columns), shaded by row share."""
    import plotly.graph_objects as go

    names = [_cut(label, 18) for label in labels]
    shares = [[value / max(1, sum(row)) for value in row] for row in counts]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=names,
            y=names,
            customdata=counts,
            colorscale=SHARES,
            zmin=0,
            zmax=1,
            showscale=False,
            hovertemplate="%{y} → %{x}: %{customdata}<extra></extra>",
        )
    )
    if len(labels) <= 20:  # numbers are separate traces: in both themes dark on pale cells and white on dark ones
        cells = [(x, y) for y in range(len(names)) for x in range(len(names))]
        figure.add_scatter(
            x=[names[x] for x, _ in cells],
            y=[names[y] for _, y in cells],
            text=[str(counts[y][x]) for x, y in cells],
            textfont={"color": ["#ffffff" if shares[y][x] >= WHITE_FROM else "#000000" for x, y in cells]},
            mode="text",
            hoverinfo="skip",
            showlegend=False,
        )
    figure.update_layout(
        height=min(720, 150 + 26 * len(labels)),
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        xaxis={"type": "category", "side": "bottom"},
        yaxis={"type": "category", "autorange": "reversed"},
    )
    return figure


def intervals(names: list[str], reports: list[dict[str, Any]], *, title: str, share: bool = True) -> Any:
    """Scores of both arms with intervals, one row per run."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for arm, field, symbol in (("transfer", "transfer", "circle"), ("twin", "baseline", "diamond-open")):
        name, colour, _ = ARMS[arm]
        rows = [(row, report[field]) for row, report in zip(names, reports, strict=True) if report.get(field)]
        figure.add_scatter(
            x=[one["value"] for _, one in rows],
            y=[_cut(row, 40) for row, _ in rows],
            mode="markers",
            name=t(name),
            marker={"color": colour, "symbol": symbol, "size": 11},
            error_x={
                "type": "data",
                "symmetric": False,
                "color": colour,
                "array": [one["interval"][1] - one["value"] for _, one in rows],
                "arrayminus": [one["value"] - one["interval"][0] for _, one in rows],
            },
        )
    figure.update_layout(
        height=130 + 44 * len(names),
        margin={"l": 8, "r": 8, "t": 36, "b": 8},
        title={"text": title, "font_size": 14},
        yaxis={"type": "category", "autorange": "reversed"},
        xaxis={"tickformat": ".0%"} if share else {},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
    )
    return figure
