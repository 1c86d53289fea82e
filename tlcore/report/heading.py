"""The verdict of a report in a word or two."""

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
    """Whether what does clearly better than transfer is no training from scratch but a baseline: transfer has lost, but
    has not been shown to hurt.
    """
    other = report.get("reference") or {"id": "twin"}
    return report.get("verdict") == "negative-transfer" and other["id"] != "twin"
