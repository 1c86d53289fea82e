"""Feature extraction: the source model stays as it is; only a linear head is fitted on what it sees."""

from __future__ import annotations

from typing import Any

from tlcore.strategies.contract import PlanContext, extract_phase, solve_phase
from tlcore.words import say


class FeatureExtraction:
    id = "feature-extraction"
    title = say("Feature extraction")
    what = say(
        "The source model is frozen. It looks at every example once; a linear head is then fitted on its features."
    )
    helps = say("Few examples (up to some tens a class), data like the source's, little time, no GPU.")
    hurts = say("Where the data look unlike the source's: what the frozen layers do not see, no head can use.")
    paper = "Donahue et al. 2014, DeCAF, arXiv 1310.1531; Razavian et al. 2014, arXiv 1403.6382"
    pretrained = True
    rates: tuple[float, ...] = ()

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        return [extract_phase(), solve_phase()]
