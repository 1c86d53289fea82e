"""What every strategy provides, and the parts of a Plan. No torch: a page shows the Plan before anything runs."""

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
    """What a plan may depend on; nothing here is a timing, so that the same Spec gives the same Plan."""

    n_train: int
    size: int  # side in pixels of a picture that is as much work as one example
    parameters: int  # of the source model
    device: str  # "cpu" | "cuda"
    epochs: int | None  # asked for, or None
    batch_size: int | None
    learning_rate: float | None
    rate: float = 1.0  # of the task: multiplies the rates that a pretrained network is tried with
    has_convex_head: bool = True  # whether the task has a convex head to fit on kept features
    has_new_head: bool = True  # whether the task puts a head of its own on the source model
    native_families: bool = False  # whether the source model answers as the task wants without anything new on it
    options: Mapping[str, Any] = field(default_factory=dict)  # of the strategy, every one resolved
    sets: Mapping[str, int] = field(default_factory=dict)  # examples in each further set
    sides: tuple[str, ...] = ()  # further columns of labels that the data have
    labelled: bool = True  # whether the task has one class an example
    modality: str = "image"  # what the source model reads (`SourceModel.modality`)

    @property
    def most_epochs(self) -> int:
        """Epochs at most: as asked, else what keeps one training to a few minutes on a CPU, if not stopped early."""
        if self.epochs:
            return self.epochs
        work = self.n_train * (self.size / 224) ** 2 * max(0.3, self.parameters / 3.5e6) ** 0.5
        budget = 6_000 if self.device == "cpu" else 200_000
        return int(min(40, max(8, budget / max(1.0, work))))

    @property
    def batch(self) -> int:
        """Examples a step: as asked, else 32 (64 on a GPU), fewer where the data would give under four steps."""
        if self.batch_size:
            return self.batch_size
        most = 32 if self.device == "cpu" else 64
        return int(min(most, max(8, 2 ** int(max(1, self.n_train // 4)).bit_length() // 2)))


@dataclass(frozen=True)
class Ablation:
    """What a strategy is compared with besides the twin: the same without what is special about it."""

    title: Sentence
    strategy: str
    options: Mapping[str, Any]  # beside those that the person chose


class Strategy(Protocol):
    """How it is transferred. One file in ``tlcore/strategies``, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    helps: Sentence
    hurts: Sentence
    paper: str
    pretrained: bool
    rates: tuple[float, ...]  # learning rates that the search tries, where something is trained by gradient
    options: tuple[Option, ...]  # settings that are its own
    needs: Mapping[str, Sentence]  # further sets that it cannot do without (fields of a Spec's data): what each holds
    takes: Mapping[str, Sentence]  # further sets that it makes use of where they are given
    tests_on: str | None  # the further set whose examples are the test set where it is given; they choose nothing
    races: bool  # whether it is among the candidates of a pilot race
    ablation: Ablation | None  # trained as an arm of its own where the twin is
    unfit: tuple[str, ...]  # beginnings of the names of architectures that it cannot work with

    def refuse(self, task: Task, data: Data | None) -> Sentence | None:
        """Why it makes no sense for a task, or with what ``data`` of a Spec name; None where it does. Without ``data``
        the task alone decides; that a set is missing is `missing`.
        """

    def lacks(self, data: Data) -> Sentence | None:
        """What it cannot do without and a Spec does not name, beside `needs`: one of two sets, for example. May be left
        out.
        """

    def phases(self, context: PlanContext) -> list[dict[str, Any]]:
        """The phases in order; see `extract_phase`, `solve_phase`, `train_phase` and `once`. Raises UnusableInput where
        the options do not go with the source model or the sets.
        """


FRESH = 4.0  # times the rates of fine-tuning: what a head alone is tried with (see feature extraction)
NO_SETS: Mapping[str, Sentence] = MappingProxyType({})


def resolved(strategy: Strategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of a strategy, as given or by default. Raises ValueError naming what is wrong."""
    known = {option.id: option for option in strategy.options}
    for name in given:
        if name not in known:
            raise ValueError(f"{strategy.id} has no option {name}; it has: {', '.join(known) or 'none'}")
    return {name: option.checked(given.get(name, option.default)) for name, option in known.items()}


def missing(strategy: Strategy, data: Data) -> Sentence | None:
    """What a strategy needs that a Spec does not name; None where nothing is missing."""
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
    """Why a strategy cannot work with a source model, as far as the name of its architecture tells."""
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
    """Why a task refuses strategies that begin with a head alone, where it puts none on the source model."""
    if task.has_new_head:
        return None
    return sentence("This task puts nothing new on the source model, so that there is no head to train alone.")


def head_phases(context: PlanContext, share: float = 1.0) -> list[dict[str, Any]]:
    """The head on the frozen backbone: solved on kept features, or trained where the task has no convex head (then for
    that share of the epochs; where other layers follow, at rates for a fresh head, which would take them apart).
    """
    if context.has_convex_head:
        return [extract_phase(), solve_phase()]
    scale = 1.0 if share == 1.0 else FRESH / context.rate
    return [train_phase(context, trainable="head", share=share, scale=scale)]


def extract_phase() -> dict[str, Any]:
    """The frozen backbone runs once over every example; its features are kept."""
    return {"kind": "extract"}


def solve_phase() -> dict[str, Any]:
    """A convex head is fitted on the kept features."""
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

    ``trainable`` is ``all``, ``head``, ``nothing`` or a share of the parts, from the head down; ``layer_decay``
    multiplies the rate once for each part below the head; ``scale`` the rates that the search tries; ``statistics`` of
    batch norm ``follow`` the data or are ``kept`` as the source's, so that a head solved on them still fits when
    training begins. ``share`` is that of the epochs of the whole. ``hooks`` are `tlcore.training.hooks`, each as
    ``{"id": …, **settings}``; with a ``stream`` (``unlabelled``, ``extra``) the phase goes through that set instead of
    the training examples, and its hooks alone make the loss and choose the best state.
    ``cost`` is how much longer its hooks make an epoch, for the guess of the time.
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
    """A `train_phase` on a stream that is done once, before all seeds and trials of its arm, which then begin with the
    body that it leaves; their heads are their own.

    It has a ``rate``, a ``batch_size`` and ``epochs`` of its own (no search, no early stopping) and starts from the
    source model or, not ``pretrained``, from random weights. ``examples`` and ``views`` of each tell how much work it
    is.
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
