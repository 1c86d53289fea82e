"""Labels that a person corrected: a mapping of file to label, or a CSV with these two columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tlcore.data.csv_out import unguard
from tlcore.data.readers.contract import label_problem, tidy_label
from tlcore.data.tables import open_table
from tlcore.data.trees import Entry
from tlcore.errors import UnusableInput
from tlcore.words import say


def corrected(rows: pd.DataFrame, corrections: Mapping[str, str]) -> pd.DataFrame:
    """A copy of the rows with new labels; an empty one leaves the example out.

    Raises UnusableInput naming a file that is not among them, or a bad label.
    """
    if not corrections:
        return rows.copy()
    known = set(rows["id"])
    new: dict[str, str] = {}
    for file, label in corrections.items():
        if file not in known:
            raise UnusableInput(
                say("The corrections name {file}, which is not among the usable examples.", file=file),
                code="corrections",
                file=str(file),
            )
        new[file] = tidy_label(label)
        if not new[file]:
            continue
        if problem := label_problem(new[file]):
            raise UnusableInput(
                say("The correction of {file} cannot be used. {reason}", file=file, reason=problem),
                code="corrections",
                file=str(file),
            )
    given = rows["id"].map(new)
    return rows.assign(label=given.fillna(rows["label"]))[given != ""].reset_index(drop=True)


def read_corrections(corrections: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    """Corrections as a mapping of file to label; a path is a CSV with these two columns. Raises
    UnusableInput.
    """
    if corrections is None:
        return {}
    if isinstance(corrections, Mapping):
        return {str(file): str(label) for file, label in corrections.items()}
    path = Path(corrections)
    if not path.is_file():
        raise UnusableInput(
            say("There is no file of corrections at {path}.", path=str(path)),
            code="corrections",
            file=path.name,
        )
    table = open_table(Entry(path.stat().st_size, path.read_bytes, path), path.name)
    if not {"file", "label"} <= set(table.columns):
        raise UnusableInput(
            say("The corrections {file} need the columns file and label.", file=path.name),
            code="corrections",
            file=path.name,
            row=1,
        )
    found: dict[str, str] = {}
    for number, cells, problem in table.rows():
        if problem:
            raise UnusableInput(problem, code="corrections", file=path.name, row=number)
        found[unguard(str(cells["file"]))] = unguard(str(cells["label"]))
    return found
