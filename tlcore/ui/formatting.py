"""Formatting for the pages: user text, durations, sizes, dates, scores."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import streamlit as st

from tlcore.core.i18n import format_moment, number, percent, t, translate

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#+!|:$~^])")


def plain(text: Any) -> str:
    """User text (a name, a file, a sentence that quotes one) with Markdown escaped."""
    escaped = _MARKUP.sub(r"\\\1", str(text).replace("\n", " "))
    return re.sub(r"^(\s*\d*)([-=.)](?=\s|$))", r"\1\\\2", escaped)


def message(value: Any) -> str:
    """A Sentence (or its JSON) in the current language, safe to show."""
    return plain(translate(value))


def short(text: str, length: int = 40) -> str:
    """At most ``length`` characters, shortened in the middle, where file names differ least."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def distinct(names: dict[str, str], length: int = 60) -> dict[str, str]:
    """Unique short names by id: repeated names are numbered, because a select box identifies options by their text."""
    seen: dict[str, int] = {}
    found = {}
    for key in sorted(names):
        name = short(names[key], length)
        seen[name] = seen.get(name, 0) + 1
        found[key] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return {key: found[key] for key in names}


def duration(seconds: float | None) -> str:
    """A duration, such as 45 s, 3 min, 1 h 20 min."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return t("{n} s", n=max(0, round(seconds, 1 if seconds < 10 else 0)))
    minutes = round(seconds / 60)
    if minutes < 90:
        return t("{n} min", n=minutes)
    return t("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def size(count: float | None) -> str:
    """A number of bytes with a unit."""
    if count is None:
        return "–"
    if count >= 1e9:
        return f"{number(count / 1e9, 1)} GB"
    return f"{number(count / 1e6, 1)} MB" if count >= 1e5 else f"{number(count / 1e3, 1)} kB"


def when(stamp: float | None) -> str:
    """A date and time in the browser's time zone."""
    if stamp is None:
        return "–"
    from babel.dates import get_timezone

    zone = None
    if name := st.context.timezone:
        try:
            zone = get_timezone(name)
        except LookupError:
            zone = None
    return format_moment(datetime.fromtimestamp(stamp, zone))


def score(value: float | None, share: bool = True) -> str:
    """A formatted score; a share (0-1) as a percentage."""
    if value is None:
        return "–"
    return percent(value) if share else number(value)


def percent_or_dash(share: float | None) -> str:
    """A share (0-1) in per cent without decimals; a dash if it is None."""
    return "–" if share is None else percent(share, 0)


def interval(pair: Any, share: bool = True) -> str:
    """An interval, such as ``88.0 % to 96.1 %``; a dash if there is none."""
    if not pair:
        return "–"
    return t("{low} to {high}", low=score(pair[0], share), high=score(pair[1], share))
