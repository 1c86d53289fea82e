"""Domain adaptation: labelled examples of one domain, unlabelled examples of the target domain."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import Ablation, PlanContext, train_phase
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task

METHODS = (
    ("source-only", sentence("none: fine-tuning on the labelled domain, the reference")),
    ("adabn", sentence("AdaBN: batch-norm statistics of the target domain")),
    ("coral", sentence("Deep CORAL: the same covariances")),
    ("dan", sentence("DAN: the same distribution, by kernels")),
    ("dann", sentence("DANN: a second network cannot tell the domains apart")),
    ("cdan", sentence("CDAN: neither can it by features and answers together")),
    ("mcc", sentence("MCC: no two classes taken for each other")),
    ("mean-teacher", sentence("Mean teacher: self-training on its own average")),
)


class DomainAdaptation:
    id = "domain-adaptation"
    title = sentence("Domain adaptation")
    what = sentence(
        "The task stays and the surroundings change: the model learns from labelled examples of one domain and from "
        "examples without labels of another, the target domain, so that it works there."
    )
    helps = sentence(
        "The same classes under another camera, light, style or wording, where labels are to be had only elsewhere."
    )
    hurts = sentence("Where the classes are differently common in the two domains, or the domains are alike already.")
    paper = "Ganin et al. 2016, arXiv 1505.07818; Jin et al. 2020, arXiv 1912.03699"
    pretrained = True
    rates = (1e-4, 4e-4, 1.6e-3)
    options = (
        Option(
            "method", sentence("Method"), sentence("How the two domains are brought together."), "mcc", choices=METHODS
        ),
        Option(
            "weight",
            sentence("Weight of the method"),
            sentence("How much the method counts beside the labels."),
            1.0,
            0.0,
            10.0,
        ),
    )
    needs = MappingProxyType({"unlabelled": sentence("Examples of the target domain, without labels")})
    takes = MappingProxyType({"extra": sentence("Labelled examples of the target domain, for the final score alone")})
    tests_on = "extra"
    ablation = Ablation(sentence("source only"), "domain-adaptation", {"method": "source-only"})
    in_pilot = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        if task.labelled and task.has_convex_head:
            return None
        return sentence("Domain adaptation is there for tasks with one class an example.")

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        """The fine-tuning phase with the hooks of the chosen method.

        Batch norm normalises the two domains separately, so every method but the reference uses the target domain's
        statistics (if the network has batch norm).
        """
        method, weight = context.options["method"], context.options["weight"]
        hooks: list[dict[str, Any]] = []
        cost = {"source-only": 1.0, "adabn": 1.3, "mean-teacher": 2.5}.get(method, 2.0)
        if method not in ("source-only", "adabn"):
            hooks.append({"id": method, "weight": weight})
        if method != "source-only":
            hooks.append({"id": "adabn", "needed": method == "adabn"})
        return [train_phase(context, layer_decay=0.75, cost=cost, hooks=[*hooks, {"id": "target-choice"}])]
