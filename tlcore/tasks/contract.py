"""The interface of a task. Torch appears in annotations only: tasks import it inside their methods."""

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
    """What a model learns. One package in ``tlcore/tasks`` and one line in ``tlcore/tasks/__init__.py``."""

    id: str
    title: Sentence
    what: Sentence
    icon: str
    modality: str  # modality of its examples: an id of tlcore/modalities
    source_families: tuple[str, ...]  # accepted values of `SourceModel.modality`, the usual one first
    bundle: str  # how exported models predict: an id of tlcore/bundle/predictors
    formats: tuple[str, ...]  # ids of readers in tlcore/data/readers
    roles: tuple[tuple[str, Sentence], ...]  # required table columns, each with its display name
    labelled: bool  # each example has exactly one label, so class counts and balance are defined
    corrects: str | None  # the editable label column: label or labels; None: examples can only be excluded
    has_new_head: bool  # a new head is added to the source model and can be trained alone
    native_families: tuple[str, ...]  # the `source_families` with a native head: LoRA trains adapters only
    has_convex_head: bool  # a convex head can be fitted on cached features; else "frozen" trains by gradient
    against: Literal["twin", "best"]  # verdict reference: scratch baseline, or the best of it and `baselines`
    evaluation_subset: int | None  # most validation examples scored after each epoch; None: all
    metrics: tuple[Metric, ...]  # the headline metric first
    default_source: str  # source model used when the user names none
    options: tuple[str, ...]  # fields of `Options` that only this kind of task uses
    rate: float  # factor on the learning rates that strategies with a pretrained network search

    # --- data, without torch -------------------------------------------------------------------------------------
    def check(self, rows: Any) -> list[Finding]:
        """Findings on the staged rows (pandas frame), in addition to those found while reading them."""

    def split(self, rows: Any, split: Split) -> Any:
        """The rows with ``split`` filled (train, validation, test). Rows of one group stay in one split."""

    def nested(self, rows: Any, seed: int) -> list[np.ndarray]:
        """Order in which training rows enter the nested subsets of a learning curve.

        A list of units (rows that stay together), each an array of row positions. Every prefix resembles the full set
        as closely as possible.
        """

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The target fitted on the training rows, as JSON, e.g. the label names. It is stored in the bundle."""

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        """Preprocessing assumed before the source model is opened; enough for `processor` to build a Plan."""

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How an example becomes a tensor, as JSON: size, crop, mean, std … ``auto`` is resolved for this machine.

        ``preprocess`` is the source's own preprocessing (`OpenSource.preprocess`). ``size`` is the input size the
        network is built for. Raises UnusableInput where the source model does not accept the task's examples.
        """

    def side(self, processor: dict[str, Any]) -> int:
        """Side in pixels of a square image that costs a network as much as one example; used in the Plan."""

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """The part of the processor stored beside the weights, in the form the model's ``save`` takes."""

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        """A short description of the network's input."""

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        """Notes on the processor for the user, shown in the Plan and in the report."""

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None, seed: int
    ) -> torch.nn.Module:
        """The source's architecture with a new head for ``target``; pretrained weights or random ones."""

    def load(self, folder: Path, source: SourceModel, size: int | None) -> torch.nn.Module:
        """The network with its trained head, from weights that its ``save`` wrote. Raises UnusableInput."""

    def parts(self, model: torch.nn.Module) -> list[LayerGroup]:
        """Every parameter and buffer, in ordered layer groups from input to head; the head is last."""

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> Mapping[str, Any]:
        """The decoded examples of each split.

        Each has ``len()``, ``.ids``, ``.batches(chunks, key, device)`` and, where batches are padded, ``.lengths`` (n,)
        in tokens. Without ``source`` only ids and labels are guaranteed; batches may be unavailable.

        ``key`` is None for evaluation, else ``(seed, epoch)``: augmentation is drawn from (seed, epoch, example).
        """

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """Input of the head, (batch, features); None where the task has no such features."""

    def source_model(self, source: OpenSource, target: dict[str, Any], *, size: int | None) -> tuple[Any, bool]:
        """The source's network for measurements, and whether it has the source's own head.

        That head is ``head``, linear on what `features` returns. The network's features equal those of `model`.
        """

    def out_of_distribution(
        self, processor: dict[str, Any], device: str
    ) -> Mapping[str, Mapping[str, torch.Tensor]] | None:
        """Synthetic out-of-distribution batches by kind; None where the task has none.

        They are unlike anything a source model was trained on and serve as the low reference of the similarity scale.
        """

    def classes(self, examples: Any) -> np.ndarray | None:
        """Class index in the target (n,) of each example of a split; None where the task has no classes."""

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, Any], target: dict[str, Any]
    ) -> dict[str, Any]:
        """A convex head fitted on cached training features; its regularisation is chosen on validation data.

        Only tasks with ``has_convex_head`` have it.
        """

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, Any]:
        """The training loss (scalar) and the network's output (e.g. logits)."""

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: Any) -> np.ndarray:
        """The batch's outputs to keep for `evaluate`, (k, …), from the network output that `loss` returned as
        ``given``.

        Logits, or what is decoded from them (spans, generated tokens) as a structured array. Called without gradients,
        in evaluation mode.
        """

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        """Fit thresholds on validation data before the weights are packed; the model stores and saves them.

        ``outputs()`` returns the model's outputs on the ``validation`` examples.
        """

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        """The target with decision thresholds fitted on a finished model's ``outputs`` on validation data.

        `evaluate` and the bundle apply them. Returns the target unchanged where the task fits none.
        """

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Records from the model's outputs on a split, in the split's order; each row names its resampling unit."""

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]] | None:
        """Each test example as shown to people: ``id``, ``text`` (or ``file``), ``truth``, ``prediction`` and ``score``
        (0-1, 1 is right). None where the answers are classes, which the report covers class by class.
        """

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> list[dict[str, Any]] | None:
        """Texts that the source model and the trained model (packed ``weights``) generate from the same test prompts
        with the same seeds: {id, prompt, truth, written: [{how, before, after}]}.

        May fill in ``prediction`` of the answers. None where models do not generate text.
        """

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        """Per-label results for tasks whose examples do not have exactly one class each.

        ``per_class`` rows (label, n, precision, recall, f1); ``unknown_label``, the number of test examples with a
        label that no training example has; ``labels``, where they differ from those of the target. Empty where there
        are no labels, or where the report covers them as classes.
        """

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each metric, (draws,), for each row of ``weights`` (draws, n); used for scores and for the bootstrap."""

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, Any], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """Simple baselines that a trained model must beat; they run in seconds.

        Fitted on training data, settings chosen on validation data, scored on the test set. Includes the source model
        without training where it can answer.
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
        """Add explanations to the worst errors.

        Either images in ``folder``, named in each error as ``picture`` and ``gradcam`` (or None), or ``words``: [[piece
        of the text, weight], …] of the words that moved the answer.
        """
