"""What every task provides. Torch appears in annotations only: tasks import it inside their methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tlcore.words import Sentence

if TYPE_CHECKING:
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.data.findings import Finding
    from tlcore.sources.opening import OpenSource
    from tlcore.spec import Options, Split


@dataclass(frozen=True)
class Metric:
    """A score. Differences are always taken so that above 0 means transfer is better.

    ``smallest`` is the smallest difference of interest, in the metric's own units.
    """

    id: str
    title: Sentence
    higher_is_better: bool = True
    share: bool = True
    smallest: float = 0.01


@dataclass(frozen=True)
class Part:
    """A group of layers, from the input towards the head: what a strategy freezes, or trains at a rate of its own."""

    name: str
    parameters: tuple[str, ...]
    modules: tuple[str, ...]
    buffers: tuple[str, ...] = ()


@dataclass
class Records:
    """Per-unit statistics of one model on one split: all that a metric or a bootstrap needs.

    ``columns`` are arrays of length n; ``unit`` names the unit of resampling of each row (picture, patient, …);
    rows that share a unit are resampled together.
    """

    ids: Sequence[str]
    unit: np.ndarray
    columns: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)


class Task(Protocol):
    """What is learned. One file in ``tlcore/tasks``, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    icon: str
    modality: str  # which kind of source model serves it: "image", later "text", "audio", "series"
    formats: tuple[str, ...]  # ids of readers in tlcore/data/readers
    metrics: tuple[Metric, ...]  # the headline metric first

    # --- data, without torch -------------------------------------------------------------------------------------
    def check(self, rows: Any) -> list[Finding]:
        """Findings on the staged rows (pandas frame) beyond what reading them already found."""

    def split(self, rows: Any, split: Split) -> Any:
        """The rows with ``split`` filled (train, validation, test); groups are never torn apart."""

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """What the training rows fix, as JSON: label names here. It goes into the bundle."""

    # --- the model -----------------------------------------------------------------------------------------------
    def processor(self, told: Mapping[str, Any], options: Options, dataset: Dataset, device: str) -> dict[str, Any]:
        """How an example becomes a tensor, as JSON: size, crop, mean, std … ``auto`` resolved for this machine.

        ``told`` is the source's own preprocessing (`OpenSource.preprocess`).
        """

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None, seed: int
    ) -> torch.nn.Module:
        """The source's architecture with a fresh head for ``target``; weights of the source, or random ones."""

    def parts(self, model: torch.nn.Module) -> list[Part]:
        """Every parameter and buffer, in ordered groups from input to head; the head is the last part."""

    def examples(
        self, dataset: Dataset, processor: dict[str, Any], target: dict[str, Any], cache: Path | None
    ) -> Mapping[str, Any]:
        """The decoded examples of each split: ``len()``, ``.ids`` and ``.batches(order, size, key, device)``.

        ``key`` is None for evaluation, else ``(seed, epoch)``: augmentation is drawn from (seed, epoch, example).
        """

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor | None:
        """What the head sees, (batch, features); None where the task has no such thing."""

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, Any], target: dict[str, Any]
    ) -> dict[str, Any]:
        """A convex head fitted on cached train features, its regularisation chosen on validation data."""

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The training loss (scalar) and the outputs (logits)."""

    # --- scores --------------------------------------------------------------------------------------------------
    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Per-unit records from the model's outputs on a split, in the split's order."""

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Each metric for each row of ``weights`` (draws × n): one call serves scores and bootstrap alike."""
