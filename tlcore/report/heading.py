"""The verdict of a report as a short heading."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import Sentence, sentence

WORDS = {
    "transfer-helps": sentence("Transfer helps"),
    "no-clear-difference": sentence("No clear difference"),
    "negative-transfer": sentence("Negative transfer"),
}
SIMPLER, NONE = sentence("A simpler way does better"), sentence("No verdict")


def heading(report: dict[str, Any]) -> Sentence:
    return SIMPLER if simpler(report) else WORDS.get(str(report.get("verdict")), NONE)


def simpler(report: dict[str, Any]) -> bool:
    """Whether transfer clearly lost to a simple baseline instead of the scratch baseline.

    In this case transfer is worse than the reference, but negative transfer has not been shown.
    """
    other = report.get("reference") or {"id": "twin"}
    return report.get("verdict") == "negative-transfer" and other["id"] != "twin"
