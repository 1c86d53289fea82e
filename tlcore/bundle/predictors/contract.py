"""What a kind of bundle provides to packing, opening and predicting."""

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
Input = tuple[str, Any, Sentence | None]  # name, what to predict, or why it was set aside


@dataclass(frozen=True)
class Row:
    """What the model says of one input; ``reason`` where it was set aside, and then nothing else."""

    input: str
    prediction: str | None = None
    confidence: float | None = None
    probability: tuple[float, ...] = ()  # of each label; empty where the model has none
    reason: Sentence | None = None
    spans: tuple[tuple[int, int, str], ...] = ()  # what was found in a text, or in a context: start, end, label


@dataclass(frozen=True)
class Knob:
    """One number that may be chosen when a model is asked; ``low``, ``high`` and ``default`` are of one type."""

    id: str
    title: Sentence
    low: float
    high: float
    default: float
    step: float
    help: Sentence | None = None


class Prepared(Protocol):
    """The preparation of one bundle, read from its files."""

    def one(self, source: Any) -> Any:
        """One input, ready to be put beside others. Raises UnusableInput with the reason it cannot be used."""

    def feed(self, prepared: Sequence[Any]) -> Feed:
        """Inputs that were made ready, as the network takes them."""


class Opened(Protocol):
    """What a kind sees of a bundle that was opened (`bundle.open.Bundle`)."""

    labels: list[str]
    prepared: Any
    calibration: Calibration
    settings: dict[str, float]  # of its knobs
    manifest: Any

    @property
    def session(self) -> Any:
        """The model in onnxruntime. Raises UnusableInput."""

    @property
    def folder(self) -> Path:
        """The files of the weights, for networks that torch runs."""


class Kind(Protocol):
    """One kind. One file in this folder, one line in its ``__init__``."""

    id: str  # the ``bundle`` of the tasks it serves
    things: str  # what the examples are called in the model card, which is in English
    weights: tuple[str, ...]  # files copied as they are from the folder of the packed weights
    needed: tuple[str, ...]  # files without which it is no bundle
    labelled: bool  # ``labels.json`` names classes
    confident: bool  # its answers come with a probability
    worker: bool  # predicting needs torch: the pages ask a job of the worker
    knobs: tuple[Knob, ...]  # what may be chosen when it is asked; `Opened.settings` holds what was
    requirement: str  # the requirement of predict.py that reads its examples

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """What goes into ``preprocessing.json``; ``kind`` in it names this kind."""

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Prepared:
        """From ``preprocessing.json`` and, where need be, the bundle's other files. Raises ValueError."""

    def write(self, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path) -> dict[str, Any]:
        """Beside the weights: labels, preprocessing, ``model.onnx`` where it can be, and ``example/`` with what the
        model says of it. Returns the figures of the comparison of ONNX and torch, or ``skipped`` with the reason.
        """

    def rows(self, bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
        """What the model says of a batch of (name, input made ready)."""

    def predict_py(self) -> str:
        """The text of predict.py."""

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        """Names for inputs that have none."""

    def found_in(self, paths: Sequence[str | Path], column: str | None = None) -> Iterator[Input]:
        """Every input of files, folders and zips; ``column`` of a table is what the person called that of the texts."""

    def done(self, n: int) -> Sentence:
        """That so many were predicted."""

    def use(self, context: RunContext) -> str:
        """The card's part on how to use the bundle."""

    def limits(self) -> list[str]:
        """The card's first limits."""
