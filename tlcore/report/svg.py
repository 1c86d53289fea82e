"""Inline SVG figures for the self-contained HTML report: line charts, values with intervals, scatter plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10

from markupsafe import Markup, escape

from tlcore.core.i18n import number, percent, t
from tlcore.evaluation import score_text
from tlcore.report.curves import ARMS, Series

WIDE, HIGH = 620, 280
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 28, 40
DASH = {"solid": "", "dash": "7 4", "dot": "2 4"}


def lines(series: Sequence[Series], *, title: str, x_title: str, share: bool) -> Markup:
    """Line chart, one line per seed; arms differ in colour, dashes and marker shape. Empty if there are no points."""
    xs = [x for one in series for x in one.x]
    ys = [y for one in series for y in one.y]
    if not xs:
        return Markup("")
    x_ticks, y_ticks = ticks(min(0.0, *xs), max(xs)), ticks(min(ys), min(1.0, max(ys)) if share else max(ys))
    x_of = _scale(x_ticks[0], x_ticks[-1], LEFT, WIDE - RIGHT)
    y_of = _scale(y_ticks[0], y_ticks[-1], HIGH - BOTTOM, TOP)
    parts = [_axes(x_ticks, y_ticks, x_of, y_of, share, x_title)]
    for one in series:
        _, colour, dash = ARMS[one.arm]
        way = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in zip(one.x, one.y, strict=True))
        parts.append(
            Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="1.4" stroke-dasharray="{}"/>').format(
                way, colour, DASH[dash]
            )
        )
        parts += [mark(one.arm, x_of(x), y_of(y)) for x, y in list(zip(one.x, one.y, strict=True))[-1:]]
    shown = [arm for arm in ARMS if any(one.arm == arm for one in series)]
    for i, arm in enumerate(shown):
        name, colour, dash = ARMS[arm]
        x = LEFT + 150 * i
        parts.append(
            Markup(
                '<line x1="{}" y1="14" x2="{}" y2="14" stroke="{}" stroke-width="2" stroke-dasharray="{}"/>'
                '<text x="{}" y="18">{}</text>'
            ).format(x, x + 34, colour, DASH[dash], x + 48, t(name))
        )
        parts.append(mark(arm, x + 34, 14))
    return _drawing(parts, title, HIGH)


def estimates(rows: Sequence[tuple[str, str, float, Sequence[float]]], *, title: str, share: bool) -> Markup:
    """Values with intervals, one per row of (name, arm, value, [low, high]), with their numbers. Empty without rows."""
    ends = [end for *_, interval in rows for end in interval]
    if not ends:
        return Markup("")
    x_ticks = ticks(min(ends), min(1.0, max(ends)) if share else max(ends))
    left, right = 170, WIDE - 190
    x_of = _scale(x_ticks[0], x_ticks[-1], left, right)
    high = 34 * len(rows) + 40
    parts = []
    for tick in x_ticks:
        parts.append(
            Markup(
                '<line x1="{0:.1f}" y1="8" x2="{0:.1f}" y2="{1}" stroke="#ddd"/><text x="{0:.1f}" y="{2}" '
                'text-anchor="middle">{3}</text>'
            ).format(x_of(tick), high - 28, high - 10, _tick(tick, share))
        )
    for i, (name, arm, value, (low, top)) in enumerate(rows):
        y = 24 + 34 * i
        _, colour, dash = ARMS[arm]
        parts.append(Markup('<text x="0" y="{}">{}</text>').format(y + 4, name))
        parts.append(
            Markup(
                '<line x1="{:.1f}" y1="{}" x2="{:.1f}" y2="{}" stroke="{}" stroke-width="3" stroke-dasharray="{}"/>'
            ).format(x_of(low), y, x_of(top), y, colour, DASH[dash])
        )
        parts.append(mark(arm, x_of(value), y))
        parts.append(
            Markup('<text x="{}" y="{}">{} ({} – {})</text>').format(
                right + 14, y + 4, said(value, share), said(low, share), said(top, share)
            )
        )
    return _drawing(parts, title, high)


def said(value: float, share: bool) -> str:
    return percent(value) if share else number(value, score_text.digits(value))


def scatter(groups: dict[str, list[list[float]]], names: tuple[str, str], *, title: str) -> Markup:
    """Scatter plot of two groups of [x, y], each 0-1: discs and squares, in the colours of transfer and scratch."""
    parts = []
    for place, (kind, arm, name) in enumerate((("source", "transfer", names[0]), ("target", "twin", names[1]))):
        x = LEFT + 200 * place
        parts.append(mark(arm, x, 14))
        parts.append(Markup('<text x="{}" y="18">{}</text>').format(x + 12, name))
        parts += [
            mark(arm, LEFT + (WIDE - LEFT - RIGHT) * one[0], TOP + (HIGH - TOP - 10) * (1 - one[1]))
            for one in groups[kind]
        ]
    return _drawing(parts, title, HIGH)


def _tick(value: float, share: bool) -> str:
    return percent(value) if share else number(value)


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at or above ``high``."""
    span = (high - low) or abs(high) or 1.0
    step = 10 ** floor(log10(span / wanted))
    step *= next((m for m in (1, 2, 2.5, 5) if span / (step * m) <= wanted), 10)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _axes(
    x_ticks: list[float],
    y_ticks: list[float],
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    share: bool,
    x_title: str,
) -> Markup:
    parts = [
        Markup(
            '<line x1="{}" y1="{y:.1f}" x2="{}" y2="{y:.1f}" stroke="#ddd"/><text x="{}" y="{:.1f}" '
            'text-anchor="end">{}</text>'
        ).format(LEFT, WIDE - RIGHT, LEFT - 6, y_of(tick) + 4, _tick(tick, share), y=y_of(tick))
        for tick in y_ticks
    ]
    parts += [
        Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            x_of(tick), HIGH - BOTTOM + 16, number(tick)
        )
        for tick in x_ticks
    ]
    parts.append(
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format((LEFT + WIDE) / 2, HIGH - 6, x_title)
    )
    return Markup("").join(parts)


def mark(arm: str, x: float, y: float) -> Markup:
    """The marker of an arm: a disc for transfer, a square for the scratch baseline, a diamond for the ablation."""
    colour = ARMS[arm][1]
    if arm == "plainer":
        return Markup(
            '<rect x="{0:.1f}" y="{1:.1f}" width="8" height="8" fill="{2}" transform="rotate(45 {3:.1f} {4:.1f})"/>'
        ).format(x - 4, y - 4, colour, x, y)
    if arm == "transfer":
        return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="4.5" fill="{}"/>').format(x, y, colour)
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="8" height="8" fill="{}"/>').format(x - 4, y - 4, colour)


def _drawing(parts: Sequence[Markup], title: str, high: int) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>{}</svg>').format(
        WIDE, high, escape(title), title, Markup("").join(parts)
    )
