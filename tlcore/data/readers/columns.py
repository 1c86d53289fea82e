"""Mapping of table columns to roles, shared by all table readers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding
from tlcore.core.i18n import Sentence, sentence
from tlcore.data.dataset import SIDE
from tlcore.data.readers.contract import label_problem, split_name, tidy_label
from tlcore.data.tables.rows import Table

SHEET = "sheet"  # key in the user's ``columns`` for the sheet of a workbook; not a column
ALSO = "also"  # likewise the columns of auxiliary labels, separated by commas


def chosen(
    table: Table,
    columns: Mapping[str, str],
    group: str | None,
    names: Mapping[str, Sequence[str]],
    needed: Mapping[str, Sentence],
) -> dict[str, str]:
    """The column of each role: as the user specified, else found by its name.

    ``names`` lists common names of each role, best first, compared without case, blanks and underscores. ``needed``
    holds the required roles with their titles. Raises UnusableInput for a missing role, an unknown role or an unknown
    column.
    """
    mapped: dict[str, str] = {}
    for role, column in columns.items():
        if role in (SHEET, ALSO):
            continue
        if role not in names:
            raise UnusableInput(
                sentence("columns may map {roles}; {role} is none of them.", roles=list(names), role=short(role)),
                code="columns",
                file=table.name,
            )
        if column not in table.columns:
            raise _no_column(table, column)
        mapped[role] = column
    if group in table.columns:
        mapped["group"] = str(group)
    plain = {_plain(column): column for column in reversed(table.columns)}
    for role, known in names.items():
        found = [plain[n] for n in known if n in plain and plain[n] not in mapped.values()]
        if role not in mapped and found:
            mapped[role] = found[0]
    for role, title in needed.items():
        if role not in mapped:
            raise UnusableInput(
                sentence(
                    "The table {file} has no column for the {role}; its columns are {columns}. Say which one it is.",
                    file=table.name,
                    role=title,
                    columns=[short(c) for c in table.columns[:20]],
                ),
                code="columns",
                file=table.name,
                row=1,
            )
    return mapped


def auxiliary_columns(table: Table, columns: Mapping[str, str]) -> list[str]:
    """The columns with auxiliary labels that the user named. Raises UnusableInput for an unknown column."""
    names = [name.strip() for name in columns.get(ALSO, "").split(",") if name.strip()]
    for name in names:
        if name not in table.columns:
            raise _no_column(table, name)
    return names


def auxiliary_labels(cells: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    """A row's auxiliary labels by column, '' where there is no valid single label."""
    found = {}
    for name in names:
        label = "" if isinstance(cells.get(name), dict | list | tuple | bytes) else tidy_label(cells.get(name))
        found[SIDE + name] = "" if label_problem(label) else label
    return found


def mapping_finding(name: str, mapped: dict[str, str]) -> Finding:
    """A note on how the columns of a table were mapped."""
    return Finding(
        level="note",
        code="columns",
        sentence=sentence(
            "The table {file} was read so: {columns}.",
            file=name,
            columns=[f"{role} = {short(column)}" for role, column in mapped.items()],
        ),
    )


def split_of_file(name: str) -> str | None:
    """The split that a file name denotes: ``test.csv``, ``train-00000-of-00002.parquet``; else None."""
    return split_name(os.path.splitext(name.rsplit("/", 1)[-1])[0].split("-")[0])


def short(text: str) -> str:
    """A name from the upload on one line, at most 120 characters."""
    text = "".join(c if c.isprintable() else "�" for c in str(text))
    return text if len(text) <= 120 else text[:119] + "…"


def _no_column(table: Table, column: str) -> UnusableInput:
    return UnusableInput(
        sentence(
            "The table {file} has no column {column}; its columns are {columns}.",
            file=table.name,
            column=short(column),
            columns=[short(c) for c in table.columns[:20]],
        ),
        code="columns",
        file=table.name,
        row=1,
    )


def _plain(column: str) -> str:
    return "".join(c for c in column.lower() if c.isalnum())
