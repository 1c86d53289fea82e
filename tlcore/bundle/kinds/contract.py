"""What a kind of bundle provides to packing, opening and predicting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tlcore.words import Sentence

if TYPE_CHECKING:
    from tlcore.report.context import RunContext

Feed = dict[str, np.ndarray]  # the network's inputs by name
Input = tuple[str, Any, Sentence | None]  # name, what to predict, or why it was set aside


class Prepared(Protocol):
    """The preparation of one bundle, read from its files."""

    def one(self, source: Any) -> Any:
        """One input, ready to be put beside others. Raises UnusableInput with the reason it cannot be used."""

    def feed(self, ready: Sequence[Any]) -> Feed:
        """Inputs that were made ready, as the network takes them."""


class Kind(Protocol):
    """One kind. One file in this folder, one line in its ``__init__``."""

    id: str  # the ``modality`` of the tasks it serves
    things: str  # what the examples are called in the model card, which is in English
    weights: tuple[str, ...]  # files copied as they are from the folder of the packed weights
    needed: tuple[str, ...]  # files without which it is no bundle
    requirements: str  # of predict.py

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """What goes into ``preprocessing.json``; ``kind`` in it names this kind."""

    def prepared(self, told: bytes, read: Callable[[str], bytes]) -> Prepared:
        """From ``preprocessing.json`` and, where need be, the bundle's other files. Raises ValueError."""

    def export(self, model: Any, processor: dict[str, Any], path: Path) -> None:
        """The network as ONNX, for any number of inputs at once."""

    def sources(self, context: RunContext, rows: Any) -> list[Any]:
        """What `Prepared.one` takes, for rows of the dataset."""

    def example(self, context: RunContext, row: Any, folder: Path) -> str:
        """One row as a file in ``folder/example``; its name."""

    def predict_py(self) -> str:
        """The text of predict.py."""

    def named(self, inputs: Iterable[Any]) -> Iterator[Input]:
        """Names for inputs that have none."""

    def found_in(self, paths: Sequence[str | Path]) -> Iterator[Input]:
        """Every input of files, folders and zips."""

    def done(self, n: int) -> Sentence:
        """That so many were predicted."""

    def use(self, context: RunContext) -> str:
        """The card's part on how to use the bundle."""

    def limits(self) -> list[str]:
        """The card's first limits."""
