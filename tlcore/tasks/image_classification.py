"""Image classification: one label a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.tasks.contract import Metric, Part, Records
from tlcore.words import say

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.data.dataset import Dataset
    from tlcore.data.findings import Finding
    from tlcore.sources.opening import OpenSource
    from tlcore.spec import Options, Split
    from tlcore.tasks.picture_examples import PictureExamples


class ImageClassification:
    """One of several labels for each picture; the network is any image classifier of timm or transformers."""

    id = "image-classification"
    title = say("Image classification")
    what = say("Tell which of several kinds a picture shows: products, plants, defects, documents.")
    icon = ":material/image_search:"
    modality = "image"
    formats = ("image-folder", "image-table", "hub")
    metrics = (
        Metric("accuracy", say("accuracy")),
        Metric("macro-f1", say("macro-F1")),
    )

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.data.checks import check_classes

        return check_classes(rows)

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows, split))

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The labels seen in training, in alphabetical order: the order of the outputs."""
        return {"labels": sorted(dataset.split("train")["label"].unique().tolist())}

    # --- the model -----------------------------------------------------------------------------------------------
    def processor(self, told: Mapping[str, Any], options: Options, dataset: Dataset, device: str) -> dict[str, Any]:
        """Size, canvas, interpolation, mean, std and augmentation, with every ``auto`` resolved.

        ``told`` is the source's own preprocessing (`OpenSource.preprocess`).
        """
        size = options.image_size
        if size == "auto":
            size = _picture_size(dataset, told, device) if told["resizable"] else told["input_size"]
        elif not told["resizable"]:
            size = told["input_size"]
        return {
            "size": int(size),
            "canvas": max(int(size), round(size / told["crop_pct"])),
            "interpolation": told["interpolation"],
            "mean": list(told["mean"]),
            "std": list(told["std"]),
            "augmentation": "standard" if options.augmentation == "auto" else options.augmentation,
        }

    def model(self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None = None,
              seed: int = 0) -> torch.nn.Module:  # fmt: skip
        return source.build(len(target["labels"]), pretrained, image_size=size, seed=seed)

    def parts(self, model: torch.nn.Module) -> list[Part]:
        return model.parts()

    def examples(self, dataset: Dataset, processor: dict[str, Any], target: dict[str, Any],
                 cache: Path | None) -> dict[str, PictureExamples]:  # fmt: skip
        from tlcore.tasks.picture_examples import Canvases, PictureExamples

        canvases = Canvases(dataset, processor["canvas"], processor["interpolation"], cache)
        return {
            split: PictureExamples(dataset, split, target["labels"], processor, canvases)
            for split in ("train", "validation", "test")
        }

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return model.features(batch["pixels"])

    def solve(self, features: Mapping[str, np.ndarray], examples: Mapping[str, PictureExamples],
              target: dict[str, Any]) -> dict[str, Any]:  # fmt: skip
        """A multinomial logistic head on train features, its strength chosen on validation data."""
        from tlcore.training.solve import logistic_head

        return logistic_head(
            features["train"], examples["train"].labels,
            features["validation"], examples["validation"].labels, len(target["labels"]),
        )  # fmt: skip

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        from torch.nn import functional

        logits = model(batch["pixels"])
        return functional.cross_entropy(logits.float(), batch["labels"]), logits

    # --- scores --------------------------------------------------------------------------------------------------
    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Truth, prediction and probabilities of each picture; a group (a patient, a product) is one unit."""
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        probability = np.exp(shifted)
        probability /= probability.sum(axis=1, keepdims=True)
        columns = {"truth": examples.labels, "prediction": outputs.argmax(axis=1), "probability": probability}
        return Records(ids=examples.ids, unit=np.asarray(examples.groups), columns=columns)

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        """Accuracy and macro-F1 (over the classes that occur in the test set) for each row of weights."""
        truth, prediction = records.columns["truth"], records.columns["prediction"]
        weights = np.atleast_2d(weights).astype(np.float64)
        total = weights.sum(axis=1)
        hit = truth == prediction
        found = np.unique(truth[truth >= 0])
        true, marked = truth[:, None] == found, prediction[:, None] == found
        with np.errstate(invalid="ignore", divide="ignore"):
            hits = weights @ (true & marked)  # (draws, classes); below: 2 TP / (2 TP + FP + FN)
            f1 = 2 * hits / (weights @ true + weights @ marked)
            return {"accuracy": (weights @ hit) / total, "macro-f1": np.nanmean(f1, axis=1)}


def _picture_size(dataset: Dataset, told: Mapping[str, Any], device: str) -> int:
    """The side that suits the data and the machine: never far above the pictures' own size, and on a CPU small
    enough that one epoch of training stays around a thousand pictures of 224 px."""
    rows, native, step = dataset.rows, told["input_size"], max(32, told.get("multiple", 1))
    own = int(np.median(np.minimum(rows["width"], rows["height"]))) if "width" in rows else native
    size = min(native, max(64, -(-own // step) * step))
    if device == "cpu":
        affordable = 224 * np.sqrt(1000 / max(1, dataset.info.n.get("train", 1)))
        size = min(size, max(64, int(affordable) // step * step))
    return size - size % told.get("multiple", 1)  # patches of 14 pixels do not divide the steps above
