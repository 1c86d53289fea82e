"""Multi-task learning: one network learns several tasks on the same examples, or on two datasets, at once."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import NO_SETS, Ablation, PlanContext, train_phase
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task

WEIGHTINGS = (
    ("uniform", sentence("all tasks alike")),
    ("uncertainty", sentence("by uncertainty: a task whose answers stay uncertain counts less")),
    ("gradnorm", sentence("GradNorm: tasks that lag behind count more")),
)


class MultiTaskLearning:
    id = "multi-task-learning"
    title = sentence("Multi-task learning")
    what = sentence(
        "All layers are trained on several tasks at once, which share everything but their heads: further columns of "
        "labels of the same examples, or a second labelled set."
    )
    helps = sentence("Related tasks, each with few labels: what one learns to see the others see as well.")
    hurts = sentence(
        "Tasks that want different things of the same layers pull against each other: some gain, some lose."
    )
    paper = "Caruana 1997; Kendall et al. 2018, arXiv 1705.07115; Chen et al. 2018, arXiv 1711.02257"
    pretrained = True
    rates = (1e-4, 4e-4, 1.6e-3)
    options = (
        Option(
            "weighting",
            sentence("Weighting of the tasks"),
            sentence("How much each task counts while all are learned."),
            "uniform",
            choices=WEIGHTINGS,
        ),
    )
    ablation = Ablation(sentence("the target task learned alone"), "fine-tuning", MappingProxyType({}))
    needs = NO_SETS
    takes = MappingProxyType({"extra": sentence("A second labelled set of the same kind, learned at the same time")})
    tests_on = None
    in_pilot = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        if task.labelled and task.has_convex_head:
            return None
        return sentence("Multi-task learning is there for tasks with one class an example.")

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        """One training phase with auxiliary tasks. Raises UnusableInput if there is no second task."""
        auxiliary = [*context.auxiliary, *(["extra"] if "extra" in context.sets else [])]
        if not auxiliary:
            raise UnusableInput(
                sentence(
                    "Multi-task learning needs a second task: name further columns of labels when you upload the data "
                    "(in a Spec: data.columns.also), or a second labelled set (data.extra)."
                ),
                code="no-second-task",
            )
        hook = {"id": "side-tasks", "sides": auxiliary, "weighting": context.options["weighting"]}
        return [train_phase(context, layer_decay=0.75, hooks=[hook])]
