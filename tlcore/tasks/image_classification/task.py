"""Image classification: one label for each image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.models.layer_groups import LayerGroup
from tlcore.tasks.shared import class_scores, source_families
from tlcore.tasks.shared.image_examples import Canvases, PictureExamples

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.shared.image_examples import PictureExamples


class ImageClassification:
    """One of several labels for each image; the network is any image classifier of timm or transformers."""

    id = "image-classification"
    title = sentence("Image classification")
    what = sentence("Tell which of several kinds a picture shows: products, plants, defects, documents.")
    icon = ":material/image_search:"
    modality = bundle = "image"
    source_families = ("image",)
    native_families = ()
    formats = ("image-folder", "image-table", "hub")
    roles = (("image", sentence("Column of the picture")), ("label", sentence("Column of the label")))
    labelled = has_new_head = has_convex_head = True
    corrects = "label"
    against = "twin"
    evaluation_subset = None
    metrics = (
        Metric("accuracy", sentence("accuracy")),
        Metric("macro-f1", sentence("macro-F1")),
    )
    default_source = "bundled/studio-base"
    options = ("image_size", "augmentation")
    rate = 1.0

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.data.checks.class_labels import check_classes

        return check_classes(rows)

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows, split))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested

        return nested(rows, seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The labels of the training data in alphabetical order, which is the order of the outputs."""
        return {"labels": sorted(dataset.split("train")["label"].unique().tolist())}

    # --- the model -----------------------------------------------------------------------------------------------
    def assumed_preprocessing(self, source: SourceModel) -> dict[str, Any]:
        return {
            "modality": source.modality or self.source_families[0],
            "input_size": source.input_size or 224,
            "resizable": True,
            "crop_pct": 0.9,
            "interpolation": "bicubic",
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
        }

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """Size, canvas, interpolation, mean, std and augmentation, with every ``auto`` resolved.

        ``preprocess`` is the source's own preprocessing (`OpenSource.preprocess`).
        """
        source_families.fits(preprocess, self)
        size = options.image_size
        if size == "auto":
            size = _picture_size(dataset, preprocess, device) if preprocess["resizable"] else preprocess["input_size"]
        elif not preprocess["resizable"]:
            size = preprocess["input_size"]
        return {
            "size": int(size),
            "canvas": max(int(size), round(size / preprocess["crop_pct"])),
            "interpolation": preprocess["interpolation"],
            "mean": list(preprocess["mean"]),
            "std": list(preprocess["std"]),
            "augmentation": "standard" if options.augmentation == "auto" else options.augmentation,
        }

    def side(self, processor: dict[str, Any]) -> int:
        return processor["size"]

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {
            "input_size": processor["size"],
            "mean": processor["mean"],
            "std": processor["std"],
            "interpolation": processor["interpolation"],
            "crop_pct": processor["size"] / processor["canvas"],
        }

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        return sentence("Pictures of {size} px", size=processor["size"])

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        return []

    def model(
        self, source: OpenSource, target: dict[str, Any], pretrained: bool, *, size: int | None = None, seed: int = 0
    ) -> torch.nn.Module:
        return source.build(len(target["labels"]), pretrained, image_size=size, seed=seed)

    def load(self, folder: Path, source: SourceModel, size: int | None = None) -> torch.nn.Module:
        from tlcore.models.loading import load

        return load(folder, source, size)

    def parts(self, model: torch.nn.Module) -> list[LayerGroup]:
        return model.parts()

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, PictureExamples]:

        canvases = Canvases(dataset, processor["canvas"], processor["interpolation"], cache)
        return {
            split: PictureExamples(dataset, split, target["labels"], processor, canvases)
            for split in ("train", "validation", "test")
        }

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return model.features(batch["pixels"])

    def source_model(
        self, source: OpenSource, target: dict[str, Any], *, size: int | None = None
    ) -> tuple[torch.nn.Module, bool]:
        model = source.build(None, True, image_size=size)
        if source.has_head(model):
            return model, True
        return self.model(source, target, True, size=size), False

    def out_of_distribution(self, processor: dict[str, Any], device: str) -> Mapping[str, Mapping[str, torch.Tensor]]:
        from tlcore.tasks.image_classification.out_of_distribution import batches

        return batches(processor, device)

    def classes(self, examples: PictureExamples) -> np.ndarray:
        return examples.labels

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, PictureExamples], target: dict[str, Any]
    ) -> dict[str, Any]:
        """A multinomial logistic head on training features; its regularisation is chosen on validation data."""
        return class_scores.solve(features, examples, len(target["labels"]))

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        from torch.nn import functional

        logits = model(batch["pixels"])
        return functional.cross_entropy(logits.float(), batch["labels"]), logits

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: torch.Tensor) -> np.ndarray:
        return given.float().cpu().numpy()

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        return None

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        return target

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Truth, prediction and probabilities of each image; a group (a patient, a product) is one resampling unit."""
        return class_scores.evaluate(outputs, examples)

    def answers(self, records: Records, dataset: Dataset) -> None:
        return None

    def samples(
        self,
        answers: list[dict[str, Any]],
        dataset: Dataset,
        processor: dict[str, Any],
        source: OpenSource,
        weights: Path,
    ) -> None:
        return None

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        return {}

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        return class_scores.aggregate(records, weights)

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, PictureExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """The most common class, a logistic regression on colour histograms, and the source model as it is."""
        from tlcore.tasks.image_classification.baselines import fit_baselines

        return fit_baselines(self, examples, target, source)

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
        """Add Grad-CAM overlays to the worst errors; a network without a spatial feature map gets none."""
        from tlcore.tasks.image_classification import gradcam

        gradcam.illustrate(folder, worst, dataset, source, weights, processor, labels)


def _picture_size(dataset: Dataset, preprocess: Mapping[str, Any], device: str) -> int:
    """The image side in pixels that suits the data and the machine.

    Never far above the images' own size. On a CPU small enough that an epoch costs about as much as a thousand images
    of 224 px.
    """
    rows, native, step = dataset.rows, preprocess["input_size"], max(32, preprocess.get("multiple", 1))
    own = int(np.median(np.minimum(rows["width"], rows["height"]))) if "width" in rows else native
    size = min(native, max(64, -(-own // step) * step))
    if device == "cpu":
        affordable = 224 * np.sqrt(1000 / max(1, dataset.info.n.get("train", 1)))
        size = min(size, max(64, int(affordable) // step * step))
    return size - size % preprocess.get("multiple", 1)  # steps of 32 are no multiple of 14-pixel patches
