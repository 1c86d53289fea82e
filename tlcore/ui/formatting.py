"""How things are written on a page: names as they are, durations, sizes, scores in plain words."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import streamlit as st

from tlcore.core.i18n import format_moment, number, percent, t, translate

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#+!|:$~^])")


def plain(text: Any) -> str:
    """Text of a person (a name, a file, a sentence that quotes one) as it is: no markup takes effect."""
    escaped = _MARKUP.sub(r"\\\1", str(text).replace("\n", " "))
    return re.sub(r"^(\s*\d*)([-=.)](?=\s|$))", r"\1\\\2", escaped)


def message(value: Any) -> str:
    """A Sentence (or its JSON) in the current language, safe to show."""
    return plain(translate(value))


def short(text: str, length: int = 40) -> str:
    """At most ``length`` characters, cut in the middle, where file names differ least."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def distinct(names: dict[str, str], length: int = 60) -> dict[str, str]:
    """Short names by id, no two alike: the second of a name is numbered (a select box tells options by their text)."""
    seen: dict[str, int] = {}
    found = {}
    for key in sorted(names):
        name = short(names[key], length)
        seen[name] = seen.get(name, 0) + 1
        found[key] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return {key: found[key] for key in names}


def duration(seconds: float | None) -> str:
    """A length of time for people: 45 s, 3 min, 1 h 20 min."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return t("{n} s", n=max(0, round(seconds, 1 if seconds < 10 else 0)))
    minutes = round(seconds / 60)
    if minutes < 90:
        return t("{n} min", n=minutes)
    return t("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def size(count: float | None) -> str:
    """Bytes for people."""
    if count is None:
        return "–"
    if count >= 1e9:
        return f"{number(count / 1e9, 1)} GB"
    return f"{number(count / 1e6, 1)} MB" if count >= 1e5 else f"{number(count / 1e3, 1)} kB"


def when(stamp: float | None) -> str:
    """A moment in the browser's time zone."""
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
    """A score as people read it: a share as a percentage."""
    if value is None:
        return "–"
    return percent(value) if share else number(value)


def percent_or_dash(share: float | None) -> str:
    """A share in per cent without decimals; a dash where there is none."""
    return "–" if share is None else percent(share, 0)


def interval(pair: Any, share: bool = True) -> str:
    """An interval, ``88.0 % to 96.1 %``; a dash where there is none."""
    if not pair:
        return "–"
    return t("{low} to {high}", low=score(pair[0], share), high=score(pair[1], share))
