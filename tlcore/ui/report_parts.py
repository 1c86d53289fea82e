"""The parts of a report that Compare shows one at a time: one line per part in PARTS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.ui import (
    auxiliary_tasks_view,
    baselines_view,
    calibration_view,
    domains_view,
    errors_view,
    label_savings_view,
    slices_view,
    verdict_view,
    written_samples_view,
)

if TYPE_CHECKING:
    from tlcore.store.tables import Run


@dataclass(frozen=True)
class Part:
    """A part of a report. It is shown if the report has the field ``needs``, or always if ``needs`` is None."""

    id: str
    title: Callable[[dict[str, Any]], Sentence]
    show: Callable[[Run, dict[str, Any]], None]
    needs: str | None = None


def _curves(run: Run, report: dict[str, Any]) -> None:
    verdict_view.curves(run, report)
    verdict_view.gap(report)


PARTS = (
    Part("curves", lambda report: sentence("Curves and over-fitting"), _curves),
    Part(
        "samples",
        lambda report: sentence("What it writes"),
        lambda run, report: written_samples_view.show(report),
        "samples",
    ),
    Part(
        "domains", lambda report: sentence("The two domains"), lambda run, report: domains_view.show(report), "domains"
    ),
    Part(
        "tasks", lambda report: sentence("Task by task"), lambda run, report: auxiliary_tasks_view.show(report), "tasks"
    ),
    Part(
        "classes",
        lambda report: sentence("Classes") if report.get("confusion") else sentence("Labels"),
        lambda run, report: verdict_view.classes(report),
        "per_class",
    ),
    Part("errors", lambda report: sentence("Errors"), errors_view.show),
    Part("slices", lambda report: sentence("Where it is weak"), slices_view.show, "slices"),
    Part("naive", lambda report: sentence("Simple baselines"), lambda run, report: baselines_view.show(report)),
    Part(
        "calibration",
        lambda report: sentence("Calibration"),
        lambda run, report: calibration_view.show(report),
        "calibration",
    ),
    Part("savings", lambda report: sentence("Label savings"), label_savings_view.show),
)


def of(report: dict[str, Any]) -> dict[str, Part]:
    """The parts that this report has, by id, in order."""
    return {part.id: part for part in PARTS if part.needs is None or report.get(part.needs)}
