"""Label savings in the HTML report: a figure, sentences and a table; empty if they were not measured."""

from __future__ import annotations

from math import log10
from typing import Any

from markupsafe import Markup

from tlcore.core.i18n import number, percent, t, translate
from tlcore.evaluation.label_savings import about
from tlcore.report import svg
from tlcore.report.curves import ARMS

LEFT, RIGHT, TOP, BOTTOM, WIDE, HIGH = 58, 12, 28, 40, 620, 320


def section(report: dict[str, Any], *, share: bool) -> Markup:
    """The HTML section; empty if ``report`` has no ``label_savings``."""
    savings = report.get("label_savings")
    if not savings:
        return Markup("")
    words = savings["sentences"]
    parts = [Markup("<h2>{}</h2>").format(t("Label savings"))]
    parts += [Markup("<p>{}</p>").format(translate(words[key])) for key in ("equal", "seen", "caution") if key in words]
    parts += [drawing(savings, share=share), table(savings, share=share)]
    parts.append(Markup('<p class="small">{}</p>').format(translate(words["how"])))
    return Markup("\n").join(parts)


def drawing(savings: dict[str, Any], *, share: bool) -> Markup:
    """SVG of the score of both arms over labels (log axis): points with intervals, power laws with bands, savings."""
    arms, equal = savings["arms"], savings["equal"]
    lows = [p["interval"][0] for arm in arms.values() for p in arm["points"]]
    highs = [p["interval"][1] for arm in arms.values() for p in arm["points"]]
    y_ticks = svg.ticks(min(lows), min(1.0, max(highs)) if share else max(highs))
    first, last = arms["twin"]["curve"]["labels"][0], arms["twin"]["curve"]["labels"][-1]

    def x_of(labels: float) -> float:
        return LEFT + (WIDE - LEFT - RIGHT) * (log10(labels) - log10(first)) / (log10(last) - log10(first))

    def y_of(value: float) -> float:
        value = min(max(value, y_ticks[0]), y_ticks[-1])
        return HIGH - BOTTOM - (HIGH - BOTTOM - TOP) * (value - y_ticks[0]) / (y_ticks[-1] - y_ticks[0])

    parts = [_axes(y_ticks, y_of, x_of, [p["labels"] for p in arms["twin"]["points"]] + [last], share)]
    for place, name in enumerate(savings["arms"]):
        title, colour, dash = ARMS[name]
        curve = arms[name]["curve"]
        there = [(x_of(n), y_of(v)) for n, v in zip(curve["labels"], curve["high"], strict=True)]
        back = [(x_of(n), y_of(v)) for n, v in zip(curve["labels"], curve["low"], strict=True)][::-1]
        parts.append(Markup('<polygon points="{}" fill="{}" opacity="0.13"/>').format(_way(there + back), colour))
        line = [(x_of(n), y_of(v)) for n, v in zip(curve["labels"], curve["value"], strict=True)]
        parts.append(
            Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>').format(
                _way(line), colour, svg.DASH[dash]
            )
        )
        for point in arms[name]["points"]:
            x, (low, high) = x_of(point["labels"]), point["interval"]
            parts.append(
                Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}" stroke="{3}"/>').format(
                    x, y_of(low), y_of(high), colour
                )
            )
            parts.append(svg.mark(name, x, y_of(point["value"])))
        parts.append(svg.mark(name, LEFT + 10 + 170 * place, 14))
        parts.append(Markup('<text x="{}" y="18">{}</text>').format(LEFT + 22 + 170 * place, t(title)))
    level = y_of(arms["transfer"]["points"][-1]["value"])
    start, end = x_of(equal["labels"]), x_of(equal["needed"] or savings["limit"])
    head = 7 if end >= start else -7
    parts.append(
        Markup(
            '<path d="M{0:.1f} {1:.1f} H{2:.1f} m{3} -5 L{2:.1f} {1:.1f} l{3} 5" fill="none" stroke="#333" '
            'stroke-width="1.6"/>'
        ).format(start, level, end, -head)
    )
    label = t("Label savings")
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
        WIDE, HIGH, label, label, Markup("").join(parts)
    )


def table(savings: dict[str, Any], *, share: bool) -> Markup:
    """One row per training size: both scores with intervals, and the labels from scratch for transfer's score."""
    heads = (t("Labels"), t("Transfer"), t("From scratch"), t("Labels from scratch needs for transfer's score"))
    rows = [Markup("<tr>{}</tr>").format(Markup("").join(Markup("<th>{}</th>").format(head) for head in heads))]
    for place, one in enumerate(savings["sizes"]):
        cells = [number(one["labels"], 0)]
        cells += [_score(savings["arms"][name]["points"][place], share) for name in savings["arms"]]
        cells.append(
            f"{_labels(one['needed'], savings)} ({_labels(one['interval'][0], savings)} – "
            f"{_labels(one['interval'][1], savings)})"
        )
        rows.append(
            Markup("<tr>{}</tr>").format(Markup("").join(Markup('<td class="n">{}</td>').format(c) for c in cells))
        )
    return Markup("<table>{}</table>").format(Markup("").join(rows))


def _labels(n: float | None, savings: dict[str, Any]) -> str:
    return t("more than {n}", n=savings["limit"]) if n is None else number(about(n), 0)


def _score(point: dict[str, Any], share: bool) -> str:
    format_value = percent if share else number
    low, high = point["interval"]
    return f"{format_value(point['value'])} ({format_value(low)} – {format_value(high)})"


def _way(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _axes(y_ticks: list[float], y_of: Any, x_of: Any, labels: list[float], share: bool) -> Markup:
    parts = [
        Markup(
            '<line x1="{}" y1="{y:.1f}" x2="{}" y2="{y:.1f}" stroke="#ddd"/><text x="{}" y="{:.1f}" '
            'text-anchor="end">{}</text>'
        ).format(LEFT, WIDE - RIGHT, LEFT - 6, y_of(tick) + 4, svg.said(tick, share), y=y_of(tick))
        for tick in y_ticks
    ]
    parts += [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            min(x_of(n), WIDE - 24), HIGH - BOTTOM + 16, number(n, 0)
        )
        for n in labels
    ]
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
            (LEFT + WIDE) / 2, HIGH - 6, t("labelled training examples")
        )
    )
    return Markup("").join(parts)
