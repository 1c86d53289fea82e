"""Shared parts of classifier bundles of every modality: logits, labels, probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tlcore.bundle import layout, onnx_export
from tlcore.bundle.predictors.contract import Prepared, Row
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.runtime.predict_images import probabilities, said

if TYPE_CHECKING:
    from tlcore.bundle.calibration import Calibration
    from tlcore.bundle.predictors.contract import Opened
    from tlcore.report.context import RunContext
    from tlcore.training.result import ArmResult

BATCH = 16


class Classifier(Protocol):
    """The parts that differ between kinds of classifier."""

    def preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        """The content of ``preprocessing.json``."""

    def prepared(self, raw: bytes, read: Callable[[str], bytes]) -> Prepared:
        """See `Kind`."""

    def export(self, model: Any, processor: dict[str, Any], path: Path) -> None:
        """Write the network as ONNX, with a dynamic batch size."""

    def sources(self, context: RunContext, rows: Any) -> list[Any]:
        """The inputs of `Prepared.one` for rows of the dataset."""

    def example(self, context: RunContext, row: Any, folder: Path) -> str:
        """Write one row as a file in ``folder/example``; returns its name."""


def write(
    kind: Classifier, context: RunContext, calibration: Calibration, result: ArmResult, folder: Path
) -> dict[str, Any]:
    """Write model.onnx, labels, preprocessing and example; returns the figures of the comparison with torch.

    If the network cannot be exported there is no model.onnx, and ``skipped`` has the reason.
    """
    processor, labels = context.processor, context.target["labels"]
    layout.write_json(folder / "labels.json", labels)
    preprocessing = kind.preprocessing(processor)
    layout.write_json(folder / "preprocessing.json", preprocessing)
    prepared = kind.prepared(json.dumps(preprocessing).encode(), lambda name: (folder / name).read_bytes())
    rows = context.dataset.split("test")
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(onnx_export.CHECKED, len(rows))).astype(int))
    scored = result.outputs("test")[chosen]
    inputs = [prepared.one(source) for source in kind.sources(context, rows.iloc[chosen])]
    feeds = [prepared.feed(inputs[i : i + BATCH]) for i in range(0, len(inputs), BATCH)]
    one = prepared.feed(inputs[:1])
    model = context.task.load(result.weights, context.source.source, processor["size"]).eval()
    try:
        kind.export(model, processor, folder / "model.onnx")
        session = onnx_export.session(str(folder / "model.onnx"))
        facts = onnx_export.agreement(session, model, feeds, scored)
    except Exception as error:  # torch raises various error types for operators that ONNX lacks
        _example(kind, context, rows.iloc[chosen[0]], onnx_export.by_torch(model, one), calibration, folder)
        return onnx_export.skipped(folder, error)
    facts["milliseconds"] = onnx_export.milliseconds(session, one)
    facts["megabytes"] = round((folder / "model.onnx").stat().st_size / 1e6, 2)
    _example(kind, context, rows.iloc[chosen[0]], onnx_export.run(session, one), calibration, folder)
    return facts


def rows(bundle: Opened, waiting: Sequence[tuple[str, Any]]) -> Iterator[Row]:
    """The prediction for each input: the most probable label, or by the bundle's threshold."""
    calibration, labels = bundle.calibration.model_dump(), bundle.labels
    inputs = bundle.prepared.feed([ready for _, ready in waiting])
    shares = probabilities(onnx_export.run(bundle.session, inputs), calibration)
    if shares.shape[1] != len(labels):
        raise UnusableInput(
            sentence(
                "The bundle names {labels} classes and its model gives {outputs}.",
                labels=len(labels),
                outputs=shares.shape[1],
            ),
            code="bundle",
        )
    for (name, _), row in zip(waiting, shares, strict=True):
        prediction, sure = said(row, labels, calibration)
        yield Row(name, prediction, sure, tuple(map(float, row)))


def _example(
    kind: Classifier, context: RunContext, row: Any, logits: np.ndarray, calibration: Calibration, folder: Path
) -> None:
    """Write one test example with the model's prediction, to verify an installation."""
    (folder / "example").mkdir()
    name = kind.example(context, row, folder)
    settings = calibration.model_dump()
    shares = probabilities(logits, settings)[0]
    prediction, sure = said(shares, context.target["labels"], settings)
    layout.write_json(
        folder / "example" / "expected.json",
        {
            "input": name,
            "prediction": prediction,
            "confidence": sure,
            "probability": [float(share) for share in shares],
            "tolerance": onnx_export.TOLERANCE,
        },
    )
