"""CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

from typing import Any

import pandas as pd

WITHOUT = "-"  # in a list of labels: none of them, where an empty cell would leave an example out
_STARTS = ("=", "+", "-", "@", "\t", "\r")


def safe_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV; text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP,
    CSV injection).
    """
    safe = frame.rename(columns=_guard)
    for at, column in enumerate(safe.columns):
        if not pd.api.types.is_numeric_dtype(safe.iloc[:, at]):
            safe = safe.assign(**{str(column): safe.iloc[:, at].map(_guard)}) if safe.columns.is_unique else safe
    return safe.to_csv(index=False)


def _guard(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_STARTS) else value


def unguard(text: str) -> str:
    """The text without the apostrophe that `safe_csv` put in front, for lists that come back."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_STARTS) else text
