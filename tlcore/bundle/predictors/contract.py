"""The interface of a kind of bundle, used by packing, opening and predicting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tlcore.core.i18n import Sentence

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

Feed = dict[str, np.ndarray]  # the network's inputs by name
Input = tuple[str, Any, Sentence | None]  # name, example to predict on, reason if it was rejected


@dataclass(frozen=True)
class Row:
    """The prediction for one input; a rejected input has only ``input`` and ``reason``."""

    input: str
    prediction: str | None = None
    confidence: float | None = None
    probability: tuple[float, ...] = ()  # per label; empty if the model has no labels
    reason: Sentence | None = None
    spans: tuple[tuple[int, int, str], ...] = ()  # (start, end, label) found in a text or context, in characters


@dataclass(frozen=True)
class Knob:
    """A numeric setting at prediction time; ``low``, ``high`` and ``default`` have the same type."""

    id: str
    title: Sentence
    low: float
    high: float
    default: float
    step: float
    help: Sentence | None = None


class Prepared(Protocol):
    """The preprocessing of one bundle, read from its files."""

    def one(self, source: Any) -> Any:
        """One preprocessed input, ready for batching. Raises UnusableInput with the reason."""

    def feed(self, prepared: Sequence[Any]) -> Feed:
        """A batch of preprocessed inputs as the network's input arrays."""


class Opened(Protocol):
    """The part of an opened bundle (`bundle.open.Bundle`) that a kind uses."""

    labels: list[str]
    prepared: Any
    calibration: Calibration
    settings: dict[str, float]  # values of its knobs
    manifest: Any

    @property
    def session(self) -> Any:
        """The onnxruntime session. Raises UnusableInput."""

    @property
    def folder(self) -> Path:
        """A folder with the weight files, for networks that torch runs."""


class Kind(Protocol):
    """One kind of bundle: one file in this folder, one line in its ``__init__``."""

    id: str  # equals the ``bundle`` of its tasks
    things: str  # name of the examples in the (English) model card
    weights: tuple[str, ...]  # files copied unchanged from the folder of the packed weights
    needed: tuple[str, ...]  # required files
    labelled: bool  # ``labels.json`` has class names
    confident: bool  # its predictions have a probability
    worker: bool  # predicting needs torch: the pages submit a job to the worker
    knobs: tuple[Knob, ...]  # settings at prediction time; their values are in `Opened.settings`
    requirement: str  # requirements.txt lines of predict.py for reading examples

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """The content of ``preprocessing.json``; its ``kind`` is this kind's id."""

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Prepared:
        """The preprocessing from ``preprocessing.json`` (``raw``) and, if needed, other files. Raises ValueError."""

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        """Write labels, preprocessing, ``model.onnx`` if possible, and ``example/`` with the model's prediction.

        Returns the figures of the comparison of ONNX and torch, or ``skipped`` with the reason.
        """

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        """The predictions for a batch of (name, preprocessed input)."""

    def predict_py(self) -> str:
        """The text of predict.py."""

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        """The inputs with names; unnamed inputs get a default name."""

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        """All inputs in files, folders and zips; ``column`` is the name of a table's text column."""

    def done(self, n: int) -> Sentence:
        """The message that ``n`` inputs were predicted."""

    def use(self, context: RunContext) -> str:
        """The model card's section on how to use the bundle."""

    def limits(self) -> list[str]:
        """The first items of the model card's limitations."""
