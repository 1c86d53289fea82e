"""Label corrections by the user: a mapping of file to label, or a CSV with these two columns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.paths import is_there, usable_path
from tlcore.core.safe_csv import WITHOUT, unguard
from tlcore.core.uploads.file_tree import Entry
from tlcore.data.readers.contract import label_problem, tidy_label
from tlcore.data.readers.text_labels import BETWEEN, labels_of
from tlcore.data.tables.rows import open_table


def corrected(rows: pd.DataFrame, corrections: Mapping[str, str], column: str | None = "label") -> pd.DataFrame:
    """A copy of the rows with new labels in ``column`` (`Task.corrects`). An empty label removes the example.

    In the column ``labels`` several labels are separated by semicolons, and `WITHOUT` means no label. Without a column
    examples can only be removed. Raises UnusableInput for an unknown file or an invalid label.
    """
    if not corrections:
        return rows.copy()
    known = set(rows["id"])
    new: dict[str, str] = {}
    for file, label in corrections.items():
        if file not in known:
            raise UnusableInput(
                sentence("The corrections name {file}, which is not among the usable examples.", file=file),
                code="corrections",
                file=str(file),
            )
        read = _correction(tidy_label(label), column)
        if isinstance(read, Sentence):
            raise UnusableInput(
                sentence("The correction of {file} cannot be used. {reason}", file=file, reason=read),
                code="corrections",
                file=str(file),
            )
        new[file] = read
    out = rows["id"].map(new)
    changed, rows = out.notna() & (out != ""), rows.copy()
    if column == "labels" and changed.any():  # labels are part of the content here, so the digest changes
        labels = out[changed].replace(WITHOUT, "")
        whole = rows.loc[changed, "text"] + "\x1f" + labels
        rows.loc[changed, "labels"] = labels
        rows.loc[changed, "sha256"] = whole.map(lambda label: hashlib.sha256(label.encode()).hexdigest())
    elif column:
        rows.loc[changed, column] = out[changed]
    return rows[out != ""].reset_index(drop=True)


def _correction(label: str, column: str | None) -> str | Sentence:
    """A correction as stored in its column; '' removes the example. A Sentence is the reason it is invalid."""
    if not label:
        return ""
    if column is None:
        return sentence(
            "Examples of this task can be left out here, which an empty label says; to change one, correct the "
            "file and upload it again."
        )
    if column == "labels" and label != WITHOUT:
        labels = labels_of(label, ";")
        return labels if isinstance(labels, Sentence) else BETWEEN.join(labels) or WITHOUT
    return label_problem(label) or label


def read_corrections(corrections: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    """Corrections as a mapping of file to label; a path is a CSV with these columns. Raises UnusableInput."""
    if corrections is None:
        return {}
    if isinstance(corrections, Mapping):
        return {str(file): str(label) for file, label in corrections.items()}
    path = usable_path(corrections, expand=False)
    if not is_there(path) or not path.is_file():
        raise UnusableInput(
            sentence("There is no file of corrections at {path}.", path=str(path)),
            code="corrections",
            file=path.name,
        )
    table = open_table(Entry.of_file(path), path.name)
    if not {"file", "label"} <= set(table.columns):
        raise UnusableInput(
            sentence("The corrections {file} need the columns file and label.", file=path.name),
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
