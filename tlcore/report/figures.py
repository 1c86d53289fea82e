"""The report as Plotly figures, for the pages. Numbers are written on them and arms differ by more than colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.report.curves import ARMS, series
from tlcore.words import number, percent, t

if TYPE_CHECKING:
    import pandas as pd

SYMBOLS = {"transfer": "circle", "twin": "square"}


def curves(
    points: pd.DataFrame, column: str, against: str = "epoch", *, title: str = "", share: bool = True
) -> Any:
    """Both arms' curves of one column against ``epoch`` or ``seconds``; each seed is a thin line of its own."""
    import plotly.graph_objects as go

    figure, told = go.Figure(), set()
    for one in series(points, column, against):
        name, colour, dash = ARMS[one.arm]
        figure.add_scatter(
            x=one.x, y=one.y, mode="lines+markers", name=t(name), legendgroup=one.arm, showlegend=one.arm not in told,
            line={"color": colour, "dash": dash, "width": 1.5}, marker={"symbol": SYMBOLS[one.arm], "size": 5},
            hovertemplate=t("seed {seed}", seed=one.seed) + ": %{y}<extra></extra>",
        )  # fmt: skip
        told.add(one.arm)
    figure.update_layout(
        height=320, margin={"l": 8, "r": 8, "t": 40, "b": 8}, title={"text": title, "font_size": 14},
        xaxis_title=t("epoch") if against == "epoch" else t("seconds of training"),
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"}, uirevision=column,
    )  # fmt: skip
    if share:
        figure.update_yaxes(tickformat=".0%")
    return figure


def scores(report: dict[str, Any], metric: str | None = None) -> Any:
    """The score of each arm with its 95 % interval, and each seed as a small mark."""
    import plotly.graph_objects as go

    metric = metric or report["metric"]
    figure = go.Figure()
    for arm, key in (("twin", "baseline"), ("transfer", "transfer")):
        told = report[key]
        if not told:
            continue
        name, colour, _ = ARMS[arm]
        value, (low, high) = told["metrics"][metric], told["intervals"][metric]
        each = [seed["metrics"][metric] for seed in told["per_seed"]]
        figure.add_scatter(
            x=each, y=[t(name)] * len(each), mode="markers", showlegend=False, hovertemplate="%{x:.3f}<extra></extra>",
            marker={"color": colour, "symbol": f"{SYMBOLS[arm]}-open", "size": 8},
        )  # fmt: skip
        figure.add_scatter(
            x=[value], y=[t(name)], mode="markers+text", showlegend=False, textposition="top center",
            text=[f"{percent(value)} ({percent(low)} – {percent(high)})"], hoverinfo="skip",
            marker={"color": colour, "symbol": SYMBOLS[arm], "size": 13},
            error_x={"type": "data", "symmetric": False, "array": [max(0, high - value)],
                     "arrayminus": [max(0, value - low)], "color": colour, "thickness": 2},
        )  # fmt: skip
    figure.update_layout(
        height=200, margin={"l": 8, "r": 8, "t": 36, "b": 8}, xaxis_tickformat=".0%",
        title={"text": t("{metric} on {n} test pictures, 95 % intervals", metric=metric, n=report["n_test"]),
               "font_size": 14},
    )  # fmt: skip
    return figure


def difference(report: dict[str, Any]) -> Any | None:
    """Transfer minus twin for each metric with its interval, and the line at no difference. None without a twin."""
    import plotly.graph_objects as go

    told = report["difference"]
    if not told:
        return None
    names = list(told["metrics"])[::-1]
    values = [told["metrics"][name] for name in names]
    low, high = zip(*(told["intervals"][name] for name in names), strict=True)
    figure = go.Figure(go.Scatter(
        x=values, y=names, mode="markers+text", textposition="top center", hoverinfo="skip",
        text=[f"{number(100 * v, 1)} ({number(100 * a, 1)} – {number(100 * b, 1)})"
              for v, a, b in zip(values, low, high, strict=True)],
        marker={"color": "#333", "symbol": "diamond", "size": 12},
        error_x={"type": "data", "symmetric": False, "thickness": 2, "color": "#333",
                 "array": [max(0, b - v) for v, b in zip(values, high, strict=True)],
                 "arrayminus": [max(0, v - a) for v, a in zip(values, low, strict=True)]},
    ))  # fmt: skip
    figure.add_vline(x=0, line={"color": "#666", "dash": "dot"})
    smallest = report["smallest_difference"]
    figure.add_vrect(x0=-smallest, x1=smallest, fillcolor="#999", opacity=0.15, line_width=0)
    figure.update_layout(
        height=120 + 60 * len(names), margin={"l": 8, "r": 8, "t": 36, "b": 8}, xaxis_tickformat=".0%",
        title={"text": t("Transfer minus from scratch, in points; the band is too small to matter"), "font_size": 14},
    )  # fmt: skip
    return figure


def confusion(report: dict[str, Any], arm: str = "transfer") -> Any | None:
    """Counts of truth (rows) against prediction (columns), shaded by the share of the row. None without classes."""
    import plotly.graph_objects as go

    counts = report.get("confusion" if arm == "transfer" else "confusion_baseline")
    if not counts:
        return None
    labels = report["labels"]
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    figure = go.Figure(go.Heatmap(
        z=shares, x=labels, y=labels, text=counts if len(labels) <= 30 else None, texttemplate="%{text}",
        colorscale="Blues", zmin=0, zmax=1, showscale=False, xgap=1, ygap=1,
        hovertemplate=t("truth") + " %{y}<br>" + t("prediction") + " %{x}<br>%{z:.0%}<extra></extra>",
    ))  # fmt: skip
    side = min(760, 180 + 34 * len(labels))
    figure.update_layout(
        height=side, margin={"l": 8, "r": 8, "t": 36, "b": 8}, xaxis_title=t("prediction"), yaxis_title=t("truth"),
        title={"text": t("{n} test pictures", n=report["n_test"]), "font_size": 14},
        xaxis={"type": "category"}, yaxis={"type": "category", "autorange": "reversed"},
    )  # fmt: skip
    return figure
