"""A report without single examples of its data: scores, curves and counts stay."""

from __future__ import annotations

import contextlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlcore.core import atomic_files
from tlcore.core.i18n import LANGUAGES, sentence

if TYPE_CHECKING:
    import pandas as pd

DELETED = sentence(
    "The data of this run were deleted. Its scores, curves and model stay; pictures, texts and predictions of single "
    "examples are gone."
)


def redacted(report: dict[str, Any]) -> dict[str, Any]:
    """A copy of a report in which no example is shown or named, and which says that the data were deleted."""
    found = {**report, "worst": [], "notes": [*report.get("notes", []), DELETED.model_dump()]}
    found["data_deleted"] = datetime.now(UTC).isoformat(timespec="seconds")
    if "samples" in report:
        found["samples"] = []
    if slices := report.get("slices"):
        found["slices"] = {**slices, "rows": [_without_examples(i, row) for i, row in enumerate(slices["rows"])]}
    return found


def redact(folder: Path, report: dict[str, Any], points: pd.DataFrame, plan: dict[str, Any] | None) -> dict[str, Any]:
    """Write the redacted report into the folder of a run in place of what lies there, and return it. Figures,
    predictions and the log, which name or show examples, are removed.
    """
    from jinja2 import UndefinedError

    from tlcore.report import html

    found = redacted(report)
    shutil.rmtree(folder / "figures", ignore_errors=True)
    (folder / "predictions.csv").unlink(missing_ok=True)
    (folder / "log.txt").unlink(missing_ok=True)
    atomic_files.write(folder / "report.json", json.dumps(found, indent=1, ensure_ascii=False))
    for language in LANGUAGES:
        page = folder / html.file_name(language)
        if page.exists():
            page.unlink()  # gone also where a report of an earlier version cannot be drawn
            with contextlib.suppress(UndefinedError, KeyError):
                atomic_files.write(page, html.render(found, points, language, plan=plan))
    return found


def _without_examples(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """A cluster is named by an example; it gets a number instead."""
    if row.get("kind") != "cluster":
        return {**row, "examples": []}
    return {**row, "examples": [], "name": sentence("cluster {n}", n=number + 1).model_dump()}
