"""Removes single examples from a report; scores, curves and counts are kept."""

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
    """A copy of a report that shows and names no example, with a note that the data were deleted."""
    found = {**report, "worst": [], "notes": [*report.get("notes", []), DELETED.model_dump()]}
    found["data_deleted"] = datetime.now(UTC).isoformat(timespec="seconds")
    if "samples" in report:
        found["samples"] = []
    if slices := report.get("slices"):
        found["slices"] = {**slices, "rows": [_without_examples(i, row) for i, row in enumerate(slices["rows"])]}
    return found


def redact(folder: Path, report: dict[str, Any], points: pd.DataFrame, plan: dict[str, Any] | None) -> dict[str, Any]:
    """Replace the report files in the folder of a run by redacted ones; returns the redacted report.

    Figures, predictions and the log are removed, because they name or show examples.
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
            page.unlink()  # removed even if a report of an earlier version cannot be rendered
            with contextlib.suppress(UndefinedError, KeyError):
                atomic_files.write(page, html.render(found, points, language, plan=plan))
    return found


def _without_examples(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """A slice without examples. A cluster is named after an example, so it gets a number instead."""
    if row.get("kind") != "cluster":
        return {**row, "examples": []}
    return {**row, "examples": [], "name": sentence("cluster {n}", n=number + 1).model_dump()}
