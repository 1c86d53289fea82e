"""Pre-training on a larger set without the target's labels, then fine-tuning on the target task."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.contract import NO_SETS, Ablation, PlanContext, has_nothing_new, shared_phase, train_phase
from tlcore.strategies.feature_extraction import FeatureExtraction
from tlcore.strategies.fine_tuning import FineTuning
from tlcore.strategies.linear_probe_then_fine_tune import LinearProbeThenFineTune
from tlcore.strategies.options import Option
from tlcore.training import hooks

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.tasks.contract import Task

SELF_SUPERVISED = ("masked", "contrastive", "causal")  # objectives without labels
HOOKS = {"contrastive": "simclr"}  # hook by objective, if its name differs
OBJECTIVES = (
    ("auto", sentence("as suits the data")),
    ("masked", sentence("hidden parts of texts are guessed")),
    ("causal", sentence("texts are gone on with")),
    ("contrastive", sentence("two views of one picture are found again")),
    ("supervised", sentence("the labels of the second set are learned")),
    ("none", sentence("nothing: the reference without pre-training")),
)
THEN = (FineTuning(), LinearProbeThenFineTune(), FeatureExtraction())
SETTINGS = {"contrastive": {"temperature": 0.5}}  # for batches of a few hundred: Chen et al. 2020, appendix B.9
RATES = {True: 3e-4, False: 1e-3}  # by start: source model (True) or random weights (False)
WORK = {"cpu": 30_000, "cuda": 1_000_000}  # total budget, in pictures of 224 px through a network of MobileNet's size


class PreTrainingThenFineTuning:
    id = "pre-training-then-fine-tuning"
    title = sentence("Pre-training, then fine-tuning")
    what = sentence(
        "The network first learns from a larger set of your field, without labels or with others than yours; then it "
        "is fine-tuned on your labelled examples. It is pre-trained once, and becomes a source model of its own."
    )
    helps = sentence("Thousands of examples without labels of a field unlike the source's, and few labels.")
    hurts = sentence("It costs the most time; where the source already knows the field, little is gained.")
    paper = "Gururangan et al. 2020, arXiv 2004.10964; Chen et al. 2020, SimCLR, arXiv 2002.05709"
    pretrained = True
    rates = FineTuning.rates
    options = (
        Option(
            "objective",
            sentence("Learned from the auxiliary dataset"),
            sentence("What is learned in pre-training."),
            "auto",
            choices=OBJECTIVES,
        ),
        Option(
            "start",
            sentence("Pre-training starts from"),
            sentence("The source model, which goes on learning, or random weights of its architecture."),
            "source",
            choices=(("source", sentence("the source model")), ("random", sentence("random weights"))),
        ),
        Option(
            "epochs",
            sentence("Epochs of pre-training"),
            sentence("How often it goes through the auxiliary dataset; 0 leaves it to the studio."),
            0,
            0,
            1000,
        ),
        Option(
            "then",
            sentence("After it"),
            sentence("What is done with the labelled examples."),
            THEN[0].id,
            choices=tuple((one.id, one.title) for one in THEN),
        ),
    )
    needs = NO_SETS
    takes = MappingProxyType(
        {
            "unlabelled": sentence("A larger set of your field, without labels"),
            "extra": sentence("A larger set of your field with labels, which need not be yours"),
        }
    )
    tests_on = None
    ablation = Ablation(
        sentence("the source model without further pre-training"),
        "pre-training-then-fine-tuning",
        {"objective": "none"},
    )
    in_pilot = False
    unfit = ()

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        if task.labelled or _self_supervised(task.source_families[0]):
            return None
        return sentence("There is no way yet to pre-train the networks of this task.")

    def lacks(self, data: Data) -> Sentence | None:
        if data.unlabelled or data.extra:
            return None
        return sentence(
            "{strategy} needs a larger set of examples: without labels (in a Spec: data.unlabelled), or with "
            "labels of any kind (data.extra).",
            strategy=self.title,
        )

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        options = context.options
        if options["then"] != FineTuning.id and (reason := has_nothing_new(context)):
            raise UnusableInput(reason, code="strategy-refused")
        then = next(one for one in THEN if one.id == options["then"]).phases(context)
        if options["objective"] == "none":
            return then
        objective, stream = _chosen(context)
        hook = _hook(objective)
        n = context.sets.get(stream, context.n_train)
        start = options["start"] == "source"
        settings = {"own_head": start} if objective == "masked" else SETTINGS.get(objective, {})
        first = shared_phase(
            train_phase(context, stream=stream, hooks=[{"id": hook.id, **settings}]),
            pretrained=start,
            rate=RATES[start] * context.rate,
            batch_size=_batch(context, n),
            epochs=options["epochs"] or context.epochs or _epochs(context, hook, n),
            examples=n,
            views=hook.views,
        )
        return [first, *then]


def _self_supervised(modality: str) -> str | None:
    """The objective without labels for a modality of source models; None if there is none."""
    return next((name for name in SELF_SUPERVISED if modality in _hook(name).source_families), None)


def _hook(objective: str) -> Any:
    return hooks.find(HOOKS.get(objective, objective))


def _chosen(context: PlanContext) -> tuple[str, str]:
    """The objective and its dataset. Raises UnusableInput if they do not fit."""
    sets, asked = context.sets, context.options["objective"]
    known = _self_supervised(context.modality)
    objective, alone = asked, "extra" in sets and "unlabelled" not in sets
    if asked == "auto":
        objective = "supervised" if known is None or (alone and context.labelled) else known
    if objective == "supervised" and not context.labelled:
        raise UnusableInput(
            sentence("The labels of a second set can be learned first where examples have one label each."),
            code="strategy-refused",
        )
    if context.modality not in _hook(objective).source_families:
        raise UnusableInput(
            sentence("This objective of pre-training is not made for what the source model reads; leave it at auto."),
            code="strategy-refused",
        )
    if objective != "supervised":
        return objective, "extra" if alone else "unlabelled"
    if sets and "extra" not in sets:
        raise UnusableInput(
            sentence(
                "Learning the labels of a second set needs one (in a Spec: data.extra); the set that "
                "is given has no labels."
            ),
            code="strategy-refused",
        )
    return objective, "extra"


def _epochs(context: PlanContext, hook: Any, n: int) -> int:
    """Epochs that limit pre-training to about the time of all fine-tunings after it."""
    each = (context.size / 224) ** 2 * max(0.3, context.parameters / 3.5e6) ** 0.5 * hook.views
    return int(min(hook.most, max(3, WORK["cpu" if context.device == "cpu" else "cuda"] / max(1.0, n * each))))


def _batch(context: PlanContext, n: int) -> int:
    """The batch size: as requested, else up to 128 small pictures (256 on a GPU), a power of two.

    Fewer for larger pictures or few examples. Contrastive learning needs large batches, and memory limits them.
    """
    if context.batch_size:
        return context.batch_size
    most = (128 if context.device == "cpu" else 256) * min(1.0, (96 / context.size) ** 2)
    return 2 ** int(min(max(32.0, most), max(8, n // 4))).bit_length() // 2
