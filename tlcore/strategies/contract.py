"""The interface of a strategy, and the parts of a Plan. No torch: a page shows the Plan before a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core.i18n import Sentence, sentence
from tlcore.strategies.options import Option

if TYPE_CHECKING:
    from tlcore.core.spec_parts import Data
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.contract import Task


@dataclass(frozen=True)
class PlanContext:
    """The inputs of a plan. It has no timings, so that the same Spec gives the same Plan."""

    n_train: int
    size: int  # side in pixels of a picture with the same cost as one example
    parameters: int  # of the source model
    device: str  # "cpu" | "cuda"
    epochs: int | None  # as requested, or None
    batch_size: int | None
    learning_rate: float | None
    rate: float = 1.0  # the task's factor for the learning rates of pretrained networks
    has_convex_head: bool = True  # whether the task has a convex head to fit on features
    has_new_head: bool = True  # whether the task adds a new head to the source model
    has_native_head: bool = False  # whether the source model has a native head for the task
    options: Mapping[str, Any] = field(default_factory=dict)  # of the strategy, all resolved
    sets: Mapping[str, int] = field(default_factory=dict)  # number of examples of each auxiliary dataset
    auxiliary: tuple[str, ...] = ()  # additional label columns of the dataset (auxiliary tasks)
    labelled: bool = True  # whether each example has one class
    modality: str = "image"  # the source model's input (`SourceModel.modality`)

    @property
    def most_epochs(self) -> int:
        """The maximum of epochs: as requested, else limited to a few minutes per training on a CPU."""
        if self.epochs:
            return self.epochs
        work = self.n_train * (self.size / 224) ** 2 * max(0.3, self.parameters / 3.5e6) ** 0.5
        budget = 6_000 if self.device == "cpu" else 200_000
        return int(min(40, max(8, budget / max(1.0, work))))

    @property
    def batch(self) -> int:
        """Examples per step: as requested, else 32 (64 on a GPU), fewer if the data give under four steps."""
        if self.batch_size:
            return self.batch_size
        most = 32 if self.device == "cpu" else 64
        return int(min(most, max(8, 2 ** int(max(1, self.n_train // 4)).bit_length() // 2)))


@dataclass(frozen=True)
class Ablation:
    """The ablation of a strategy: the same without its special part, compared along with the scratch baseline."""

    title: Sentence
    strategy: str
    options: Mapping[str, Any]  # in addition to those of the person


class Strategy(Protocol):
    """A transfer strategy. One file in ``tlcore/strategies``, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    helps: Sentence
    hurts: Sentence
    paper: str
    pretrained: bool
    rates: tuple[float, ...]  # learning rates of the search, for gradient training
    options: tuple[Option, ...]  # settings of this strategy
    needs: Mapping[str, Sentence]  # required auxiliary datasets (fields of a Spec's data): contents of each
    takes: Mapping[str, Sentence]  # optional auxiliary datasets
    tests_on: str | None  # auxiliary dataset used as the test set if given, for scoring only
    in_pilot: bool  # whether it is a candidate of a pilot
    ablation: Ablation | None  # an additional arm, if the scratch baseline is trained
    unfit: tuple[str, ...]  # prefixes of unsupported architecture names

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        """The reason why it does not suit a task or a Spec's ``data``; None if it does.

        Without ``data`` only the task is checked. Missing datasets are reported by `missing`.
        """

    def lacks(self, data: Data) -> Sentence | None:
        """A requirement beyond `needs` that a Spec does not meet, e.g. one of two datasets; else None. Optional."""

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        """The phases in order; see `extract_phase`, `solve_phase`, `train_phase` and `shared_phase`.

        Raises UnusableInput if the options do not fit the source model or the datasets.
        """


FRESH = 4.0  # learning rates for a head alone, relative to fine-tuning (see feature extraction)
NO_SETS: Mapping[str, Sentence] = MappingProxyType({})


def resolved(strategy: Strategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a strategy, given or default. Raises ValueError naming the wrong one."""
    known = {option.id: option for option in strategy.options}
    for name in given:
        if name not in known:
            raise ValueError(f"{strategy.id} has no option {name}; it has: {', '.join(known) or 'none'}")
    return {name: option.checked(given.get(name, option.default)) for name, option in known.items()}


def missing(strategy: Strategy, data: Data) -> Sentence | None:
    """A requirement of a strategy that a Spec does not meet; None if all are met."""
    for name, what in strategy.needs.items():
        if getattr(data, name) is None:
            return sentence(
                "{strategy} needs an auxiliary dataset (in a Spec: data.{name}): {what}",
                strategy=strategy.title,
                name=name,
                what=what,
            )
    return strategy.lacks(data) if hasattr(strategy, "lacks") else None


def unsuited(strategy: Strategy, source: SourceModel) -> Sentence | None:
    """The reason why a strategy does not support a source model, from its architecture's name; None if it does."""
    name = (source.architecture or "").lower()
    if not name.removeprefix("test_").startswith(strategy.unfit):
        return None
    return sentence(
        "{strategy} is made for transformers; {model} has no attention layers ({architecture}).",
        strategy=strategy.title,
        model=source.title,
        architecture=source.architecture,
    )


def has_nothing_new(task: Task | PlanContext) -> Sentence | None:
    """The reason why strategies that first train the head refuse a task without a new head; None if it has one."""
    if task.has_new_head:
        return None
    return sentence("This task puts nothing new on the source model, so that there is no head to train alone.")


def head_phases(context: PlanContext, share: float = 1.0) -> list[dict[str, Any]]:
    """Phases for the head on a frozen backbone: fitted on features if convex, else trained for ``share`` of the epochs.

    With ``share`` < 1 other layers train afterwards; the head then uses the higher learning rates of a new head, which
    are too high for the other layers.
    """
    if context.has_convex_head:
        return [extract_phase(), solve_phase()]
    scale = 1.0 if share == 1.0 else FRESH / context.rate
    return [train_phase(context, trainable="head", share=share, scale=scale)]


def extract_phase() -> dict[str, Any]:
    """The frozen backbone runs once over every example; the features are stored."""
    return {"kind": "extract"}


def solve_phase() -> dict[str, Any]:
    """A convex head is fitted on the features."""
    return {"kind": "solve"}


def train_phase(
    context: PlanContext,
    *,
    trainable: str | float = "all",
    layer_decay: float = 1.0,
    scale: float = 1.0,
    statistics: str = "follow",
    share: float = 1.0,
    hooks: Sequence[Mapping[str, Any]] = (),
    stream: str | None = None,
    cost: float = 1.0,
) -> dict[str, Any]:
    """Gradient descent (AdamW, warm-up, cosine) with early stopping on validation data.

    ``trainable``: ``all``, ``head``, ``nothing`` or a share of the layer groups, from the head down. ``layer_decay``:
    factor of the rate per layer group below the head. ``scale``: factor of the searched rates. ``statistics`` of batch
    norm ``follow`` the data or are ``kept`` as the source's, so that a head fitted on them still fits when training
    begins. ``share``: of the total epochs. ``hooks``: `tlcore.training.hooks`, each as ``{"id": …, **settings}``. With
    a ``stream`` (``unlabelled``, ``extra``) the phase trains on that dataset instead of the training examples, and only
    its hooks define the loss and the best state. ``cost``: factor of an epoch's duration due to hooks, for the time
    estimate.
    """
    epochs = max(1, round(share * context.most_epochs))
    more: dict[str, Any] = {"hooks": [dict(hook) for hook in hooks]} if hooks else {}
    if stream:
        more["stream"] = stream
    if cost != 1:
        more["cost"] = cost
    return {
        "kind": "train",
        "trainable": trainable,
        "layer_decay": layer_decay,
        "scale": scale,
        "statistics": statistics,
        "epochs": epochs,
        "patience": max(4, epochs // 4),
        "weight_decay": 0.05,
        "warmup": 0.1,
        **more,
    }


def shared_phase(
    phase: dict[str, Any], *, pretrained: bool, rate: float, batch_size: int, epochs: int, examples: int, views: int = 1
) -> dict[str, Any]:
    """A `train_phase` on a stream, run once per arm: all seeds and trials start from its body, with new heads.

    It has its own ``rate``, ``batch_size`` and ``epochs`` (no search, no early stopping) and starts from the source
    model, or from random weights if not ``pretrained``. ``examples`` and the ``views`` of each determine the work.
    """
    return {
        **phase,
        "once": True,
        "pretrained": pretrained,
        "rate": rate,
        "batch_size": batch_size,
        "epochs": epochs,
        "patience": epochs,
        "examples": examples,
        "views": views,
    }
