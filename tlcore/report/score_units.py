"""What a report's scores are: shares or not, and what its differences are from."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import sentence, t, translate


def shares(report: dict[str, Any]) -> dict[str, bool]:
    """Whether each metric of a report is a share; those that nobody knows any more are taken for one."""
    from tlcore import tasks

    known = {metric.id: metric.share for metric in tasks.find(report["task"]).metrics}
    return {name: known.get(name, True) for name in report["transfer"]["metrics"]}


def share(report: dict[str, Any]) -> bool:
    """Whether the headline metric is a share."""
    return shares(report).get(report["metric"], True)


def difference(report: dict[str, Any]) -> str:
    """The heading of the differences; it says from what, where that is not the twin in the column beside it."""
    other = report.get("reference")
    if not other or other["id"] == "twin":
        return t("Difference")
    return t("Difference from {reference}", reference=translate(other["title"]))


def reference(report: dict[str, Any]) -> str:
    """What the verdict of a report compares with."""
    return translate((report.get("reference") or {}).get("title") or sentence("training from scratch").model_dump())
