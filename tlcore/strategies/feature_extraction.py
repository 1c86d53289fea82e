"""Feature extraction: the source model is frozen; only a linear head is fitted on its features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import NO_SETS, PlanContext, has_nothing_new, head_phases

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task


class FeatureExtraction:
    id = "feature-extraction"
    title = sentence("Feature extraction")
    what = sentence(
        "The source model stays as it is; only the head on it, which makes answers of what it sees, is fitted."
    )
    helps = sentence(
        "Few examples (up to some tens; of each class, where there are classes), data like the source's, "
        "little time, no GPU."
    )
    hurts = sentence("Where the data look unlike the source's: what the frozen layers do not see, no head can use.")
    paper = "Donahue et al. 2014, DeCAF, arXiv 1310.1531; Razavian et al. 2014, arXiv 1403.6382"
    pretrained = True
    rates = (4e-4, 1.6e-3, 6.4e-3)  # for tasks without a convex head: only the head trains
    options = ()
    needs = takes = NO_SETS
    tests_on = None
    ablation = None
    in_pilot = True
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        return has_nothing_new(task)

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        return head_phases(context)
