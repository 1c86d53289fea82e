"""Small SVG drawings on a transparent background, legible on light and dark pages.

Text inside a box is white on a dark fill (contrast of at least 4.5); text outside is a grey with a contrast of about
4.3 on both backgrounds. A drawing is `svg` of pieces, each made by a function below.
"""

from __future__ import annotations

from html import escape
from textwrap import wrap

BLUE, GREEN, ORANGE, PURPLE, GREY = "#2f6fb3", "#23805a", "#b3551b", "#7a55b0", "#6b7280"
INK = "#767b82"
FONT = "font-family='system-ui, sans-serif'"


def svg(width: int, height: int, *pieces: str) -> str:
    """The drawing, ``width`` × ``height`` pixels, scaled to the column that shows it."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
        f"width='{width}' height='{height}' {FONT}>"
        "<defs><marker id='tip' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='7' markerHeight='7' "
        f"orient='auto-start-reverse'><path d='M0 0 10 5 0 10z' fill='{INK}'/></marker></defs>"
        f"{''.join(pieces)}</svg>"
    )


def box(
    x: float,
    y: float,
    w: float,
    h: float,
    words: str,
    fill: str = BLUE,
    *,
    dashed: bool = False,
    size: int = 14,
) -> str:
    """A box with centred text, wrapped to its width. A dashed outline marks frozen layers."""
    outline = f"stroke='{INK}' stroke-width='2' stroke-dasharray='6 4'" if dashed else ""
    return f"<rect x='{x}' y='{y}' width='{w}' height='{h}' rx='8' fill='{fill}' {outline}/>" + lines(
        x + w / 2, y + h / 2, words, fill="#ffffff", size=size, width=w - 12
    )


def lines(
    x: float,
    y: float,
    words: str,
    *,
    fill: str = INK,
    size: int = 14,
    width: float = 10_000,
    anchor: str = "middle",
    bold: bool = False,
) -> str:
    """Text centred vertically at ``y``, wrapped to about ``width`` pixels per line."""
    rows = wrap(words, max(6, int(width / (size * 0.6)))) or [""]
    top = y - (len(rows) - 1) * size * 0.6 + size * 0.35
    weight = "font-weight='600'" if bold else ""
    spans = "".join(
        f"<tspan x='{x}' y='{top + i * size * 1.2:.1f}'>{escape(row)}</tspan>" for i, row in enumerate(rows)
    )
    return f"<text font-size='{size}' fill='{fill}' text-anchor='{anchor}' {weight}>{spans}</text>"


def arrow(x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False) -> str:
    """A line with an arrowhead at its end."""
    dash = "stroke-dasharray='5 4'" if dashed else ""
    return (
        f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='{INK}' stroke-width='2' {dash} marker-end='url(#tip)'/>"
    )


def upright(x: float, top: float, bottom: float) -> str:
    """A dashed vertical line."""
    return line([(x, top), (x, bottom)], INK, dashed=True, width=2)


def line(points: list[tuple[float, float]], colour: str, *, dashed: bool = False, width: float = 3) -> str:
    """A curve through ``points``."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = "stroke-dasharray='8 5'" if dashed else ""
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{width}' {dash}/>"


def axes(x: float, y: float, w: float, h: float, across: str, up: str) -> str:
    """Two axes from the lower left corner (x, y + h), with their labels."""
    return (
        arrow(x, y + h, x + w, y + h)
        + arrow(x, y + h, x, y)
        + lines(x + w / 2, y + h + 18, across, size=13)
        + lines(x, y - 10, up, size=13, anchor="start")
    )


def interval(y: float, low: float, high: float, middle: float, colour: str) -> str:
    """A horizontal interval with end strokes and a dot at its value."""
    ends = "".join(
        f"<line x1='{x}' y1='{y - 7}' x2='{x}' y2='{y + 7}' stroke='{colour}' stroke-width='3'/>" for x in (low, high)
    )
    return (
        f"<line x1='{low}' y1='{y}' x2='{high}' y2='{y}' stroke='{colour}' stroke-width='3'/>{ends}"
        f"<circle cx='{middle}' cy='{y}' r='6' fill='{colour}'/>"
    )
