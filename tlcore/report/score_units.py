"""Units of a report's scores (shares or not), and the reference of its differences."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import sentence, t, translate


def shares(report: dict[str, Any]) -> dict[str, bool]:
    """Whether each metric of a report is a share (0-1), by id. Unknown metrics count as shares."""
    from tlcore import tasks

    known = {metric.id: metric.share for metric in tasks.find(report["task"]).metrics}
    return {name: known.get(name, True) for name in report["transfer"]["metrics"]}


def share(report: dict[str, Any]) -> bool:
    """Whether the headline metric is a share."""
    return shares(report).get(report["metric"], True)


def difference(report: dict[str, Any]) -> str:
    """The heading of the column of differences; names the reference if it is not the scratch baseline."""
    other = report.get("reference")
    if not other or other["id"] == "twin":
        return t("Difference")
    return t("Difference from {reference}", reference=translate(other["title"]))


def reference(report: dict[str, Any]) -> str:
    """The title of the reference of the verdict."""
    return translate((report.get("reference") or {}).get("title") or sentence("training from scratch").model_dump())
