"""Detection of personal data in texts before training: e-mail address, phone number, CPF."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tlcore.core.findings import Finding
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10
# Columns with free text. Answers are not listed: they are part of the context.
COLUMNS: dict[str, Sentence] = {
    "text": sentence("text"),
    "target": sentence("target"),
    "completion": sentence("completion"),
    "question": sentence("question"),
}
EMAIL = re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63})+\b")
# With a country code; or Brazilian (2-digit area code, then 8 or 9 digits in two groups); or US format.
PHONE = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?(?:\(?\d{1,4}\)?[ .-]?){1,3}\d{3,4}[ .-]?\d{3,4}"
    r"|\(?\d{2}\)? ?9?\d{4}[ -]\d{4}|\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4})(?![\w/-])"
)
DIGIT = re.compile(r"\d")
CPF = re.compile(r"(?<![\w.-])\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?![\w-])")


def of_rows(rows: pd.DataFrame) -> list[Finding]:
    """`findings` for every text column of the rows. The column is named where there are several."""
    columns = [name for name in COLUMNS if name in rows]
    several = len(columns) > 1
    return [one for name in columns for one in findings(rows[name], rows["id"], COLUMNS[name] if several else None)]


def findings(texts: Iterable[str], ids: Iterable[str], column: Sentence | None = None) -> list[Finding]:
    """One finding per kind of personal data, with row ids and the column, never with the data itself."""
    found: dict[str, list[str]] = {"e-mail": [], "phone": [], "cpf": []}
    for text, name in zip(texts, ids, strict=True):
        for kind in kinds(text):
            found[kind].append(name)
    titles: dict[str, Sentence] = {
        "e-mail": sentence("e-mail address"),
        "phone": sentence("phone number"),
        "cpf": sentence("Brazilian tax number (CPF)"),
    }
    return [
        Finding(
            level="warning",
            code=f"personal-{kind}",
            count=len(rows),
            examples=rows[:SHOWN],
            sentence=sentence("Texts that seem to hold personal data ({kind}): {n}.", kind=titles[kind], n=len(rows))
            if column is None
            else sentence(
                "Rows that seem to hold personal data ({kind}) in their {column}: {n}.",
                kind=titles[kind],
                column=column,
                n=len(rows),
            ),
            fix=sentence("Take it out unless the task needs it: whoever gets the dataset or the report can read it."),
        )
        for kind, rows in found.items()
        if rows
    ]


def kinds(text: str) -> list[str]:
    """Which kinds of personal data a text seems to contain: e-mail, cpf, phone."""
    found = []
    if "@" in text and EMAIL.search(text):
        found.append("e-mail")
    if DIGIT.search(text):
        if any(is_cpf(match[0]) for match in CPF.finditer(text)):
            found.append("cpf")
        if PHONE.search(text):
            found.append("phone")
    return found


def is_cpf(number: str) -> bool:
    """Whether a number has eleven digits with the two valid check digits of a CPF."""
    digits = [int(c) for c in number if c.isdigit()]
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(d * w for d, w in zip(digits[:length], range(length + 1, 1, -1), strict=True))
        if (10 * total % 11) % 10 != digits[length]:
            return False
    return True
