"""CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

WITHOUT = "-"  # in a list of labels: none of them, where an empty cell would leave an example out
FORMULA = ("=", "+", "-", "@", "\t", "\n")  # what a cell that a spreadsheet would run may begin with
NUMBER = re.compile(r"[+-][0-9]+(?:\.[0-9]+)?")  # a label such as -1 runs nothing


def safe_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV; its cells are made safe by `cell` (OWASP, CSV injection)."""
    safe = frame.rename(columns=cell)
    for at, column in enumerate(safe.columns):
        if not pd.api.types.is_numeric_dtype(safe.iloc[:, at]):
            safe = safe.assign(**{str(column): safe.iloc[:, at].map(cell)}) if safe.columns.is_unique else safe
    return safe.to_csv(index=False)


def cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe in front; a number does not."""
    if not isinstance(value, str):
        return value
    # Python leaves a lone carriage return unquoted, and a spreadsheet begins a row there.
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    return f"'{value}" if value.startswith(FORMULA) and not NUMBER.fullmatch(value) else value


def unguard(text: str) -> str:
    """The text without the apostrophe that `safe_csv` put in front, for lists that come back."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
