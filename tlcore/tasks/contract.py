"""What every task provides. Torch appears in annotations only: tasks import it inside their methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from tlcore.core.i18n import Sentence
from tlcore.evaluation.records import Baseline, Metric, Records

if TYPE_CHECKING:
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.layer_groups import LayerGroup
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel


class Task(Protocol):
    """What is learned. One file in ``tlcore/tasks``, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    icon: str
    modality: str  # what its examples are made of: an id of tlcore/modalities
    source_families: tuple[
        str, ...
    ]  # the kinds of source model that serve it (`SourceModel.modality`), the usual one first
    bundle: str  # how its models predict outside of the studio: an id of tlcore/bundle/predictors
    formats: tuple[str, ...]  # ids of readers in tlcore/data/readers
    roles: tuple[tuple[str, Sentence], ...]  # the columns of a table that are needed, each with its name for people
    labelled: bool  # each example has one of some labels: counts and balance mean something
    corrects: str | None  # the column of labels that can be put right: label, labels; None: examples are only left out
    has_new_head: bool  # something new is put on the source model (a head), which can be trained alone
    native_families: tuple[
        str, ...
    ]  # of the kinds in `reads`, those that answer by what they have: adapters alone tune them
    has_convex_head: bool  # a convex head can be fitted on kept features; else "frozen" is trained by gradient
    against: Literal["twin", "best"]  # what the verdict compares with: the twin, or the best of twin and the naive
    evaluation_subset: int | None  # examples of the validation set that are scored after each epoch at most; None: all
    metrics: tuple[Metric, ...]  # the headline metric first
    default_source: str  # the source model where the person names none
    options: tuple[str, ...]  # fields of `Options` that are this kind of task's alone
    rate: float  # multiplies the learning rates that strategies with a pretrained network try

    # --- data, without torch -------------------------------------------------------------------------------------
    def check(self, rows: Any) -> list[Finding]:
        """Findings on the staged rows (pandas frame) beyond what reading them already found."""

    def split(self, rows: Any, split: Split) -> Any:
        """The rows with ``split`` filled (train, validation, test); groups are never torn apart."""

    def nested(self, rows: Any, seed: int) -> list[np.ndarray]:
        """The order in which training rows are taken into ever larger parts, for learning curves: units that stay
        together, each the positions of its rows. Every prefix is as like the whole as can be.
        """

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """What the training rows fix, as JSON: label names here. It goes into the bundle."""

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        """What `processor` is told where the source is not open: enough for a Plan to be shown."""

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How an example becomes a tensor, as JSON: size, crop, mean, std … ``auto`` resolved for this machine.

        ``told`` is the source's own preprocessing (`OpenSource.preprocess`). Raises UnusableInput where the source
        reads something else than the task's examples. ``size`` is what the network is built for.
        """

    def side(self, processor: dict[str, Any]) -> int:
        """The side in pixels of a picture that is as much work for a network as one example is: for the Plan."""

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """What of the processor is written beside the weights, as the model's own ``save`` takes it."""

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        """What the network sees of an example, in a few words."""

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        """What the person should know of it, in the Plan and in the report."""

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None, seed: int
    ) -> torch.nn.Module:
        """The source's architecture with a fresh head for ``target``; weights of the source, or random ones."""

    def load(self, folder: Path, source: SourceModel, size: int | None) -> torch.nn.Module:
        """The network as its ``save`` packed it into ``folder``, its own head on. Raises UnusableInput."""

    def parts(self, model: torch.nn.Module) -> list[LayerGroup]:
        """Every parameter and buffer, in ordered groups from input to head; the head is the last part."""

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> Mapping[str, Any]:
        """The decoded examples of each split: ``len()``, ``.ids``, ``.batches(chunks, key, device)`` and, where
        batches are padded, ``.lengths`` (n,) in tokens. Without ``source`` ids and labels are known, batches may
        not be.

        ``key`` is None for evaluation, else ``(seed, epoch)``: augmentation is drawn from (seed, epoch, example).
        """

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """What the head sees, (batch, features); None where the task has no such thing."""

    def source_model(self, source: OpenSource, target: dict[str, Any], *, size: int | None) -> tuple[Any, bool]:
        """The source's network to measure with, and whether it has the source's own head (``head``, linear on what
        `features` gives). Its features are those of `model`.
        """

    def out_of_distribution(
        self, processor: dict[str, Any], device: str
    ) -> Mapping[str, Mapping[str, torch.Tensor]] | None:
        """Batches of inputs, made by code, that are like nothing a source model was trained on, by kind: the far end
        of similarity. None where the task has none.
        """

    def classes(self, examples: Any) -> np.ndarray | None:
        """The class (n,) of each example of a split, as the target numbers it; None where the task has no classes."""

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, Any], target: dict[str, Any]
    ) -> dict[str, Any]:
        """A convex head fitted on cached train features, its regularisation chosen on validation data; only a task that
        ``solves`` has it."""

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, Any]:
        """The training loss (scalar) and what the network gave (logits)."""

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: Any) -> np.ndarray:
        """What is kept of a batch for `evaluate`, (k, …), from what `loss` gave: the logits, or what follows from them
        (spans, generated tokens) as a structured array. Without gradients, in evaluation mode.
        """

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        """What validation data decide about a trained model before its weights are packed (a threshold), kept in the
        model itself, which saves it. ``outputs()`` gives what the model says of the ``validation`` examples.
        """

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        """The target with what a finished model's ``outputs`` on validation data decide about its answers: thresholds
        that `evaluate` and the bundle obey. The target itself where they decide nothing.
        """

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Per-unit records from the model's outputs on a split, in the split's order."""

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]] | None:
        """Each test example as a person reads it: ``id``, ``text`` (or ``file``), ``truth``, ``prediction`` and
        ``score`` (0-1, 1 is right). None where the answers are classes, which the report tells by class.
        """

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> list[dict[str, Any]] | None:
        """What the source as it is and the trained model (its packed ``weights``) write from the same test examples
        with the same seeds: {id, prompt, truth, written: [{how, before, after}]}. May fill in ``prediction`` of the
        answers. None where models do not write.
        """

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        """What the report says label by label where the answers are not one class each: ``per_class`` rows (label, n,
        precision, recall, f1) and ``unknown_label``, how many test examples have one that no training example has;
        ``labels``, where they are others than those of the target. Empty where there are no labels, or where the report
        tells them as classes.
        """

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each metric for each row of ``weights`` (draws × n): one call serves scores and bootstrap alike."""

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, Any], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """What a trained model must beat, in seconds: fitted on training data, its settings chosen on validation data,
        scored on the test set. The source model as it is belongs to it where it can answer.
        """

    def illustrate(
        self,
        folder: Path,
        worst: list[dict[str, Any]],
        dataset: Dataset,
        source: SourceModel,
        weights: Path,
        processor: dict[str, Any],
        labels: list[str],
    ) -> None:
        """What explains the worst errors: pictures in ``folder``, named in each as ``picture`` and ``gradcam`` (or
        None), or ``words``, [[piece of the text, weight], …] of those that moved the answer.
        """
