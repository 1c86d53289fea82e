"""Text classification: one label for each text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.models.layer_groups import LayerGroup
from tlcore.tasks.shared import class_scores, source_families, text_lengths

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.shared.text_examples import TextExamples

LOOKED_AT = 2_000  # training texts sampled to choose the input length
MOST_TOKENS = {"cpu": 128, "cuda": 256}  # default limits, by device


class TextClassification:
    """One of several labels for each text; the network is a text encoder of transformers with mean pooling."""

    id = "text-classification"
    title = sentence("Text classification")
    what = sentence("Tell which of several kinds a text is: topics, intents, spam, departments.")
    icon = ":material/article:"
    modality = bundle = "text"
    source_families = ("text",)
    native_families = ()
    formats = ("text-table",)
    roles = (("text", sentence("Column of the text")), ("label", sentence("Column of the label")))
    labelled = has_new_head = has_convex_head = True
    corrects = "label"
    against = "twin"
    evaluation_subset = None
    metrics = (
        Metric("accuracy", sentence("accuracy")),
        Metric("macro-f1", sentence("macro-F1")),
    )
    default_source = "bundled/minilm-l6"
    options = ("max_length",)
    rate = 0.25  # text encoders are fine-tuned at 2e-5 to 4e-4: Devlin et al. 2019, arXiv 1810.04805

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
        reads = source.modality or self.source_families[0]
        return {"modality": reads, "input_size": source.input_size or 512, "pad": 0, "folder": None}

    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """How texts become tokens. ``auto`` takes the 95th percentile of the lengths.

        * ``size``: most tokens read of a text
        * ``mean``: mean tokens of a text
        * ``cut``: share of the training texts that are longer
        * ``pad``: the padding token

        Raises UnusableInput where ``max_length`` exceeds the source model's input size.
        """
        source_families.fits(preprocess, self)
        own = int(preprocess["input_size"])
        lengths = _lengths(dataset, preprocess)
        size = options.max_length
        if size == "auto":
            size = min(own, MOST_TOKENS["cpu" if device == "cpu" else "cuda"], text_lengths.covering(lengths))
        elif size > own:
            raise UnusableInput(
                sentence(
                    "This source model reads at most {own} tokens of a text; max_length is {asked}.",
                    own=own,
                    asked=size,
                ),
                code="source-size",
            )
        return {
            "size": int(size),
            "mean": int(np.ceil(np.minimum(lengths, size).mean())),
            "cut": round(float((lengths > size).mean()), 4),
            "pad": int(preprocess["pad"]),
        }

    def side(self, processor: dict[str, Any]) -> int:
        return text_lengths.side(processor["mean"])

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"max_length": processor["size"]}

    def describe_input(self, processor: dict[str, Any]) -> Sentence:
        return sentence("Texts of at most {n} tokens", n=processor["size"])

    def notes(self, processor: dict[str, Any]) -> list[Sentence]:
        if not processor["cut"]:
            return []
        return [
            sentence(
                "Texts are cut after {n} tokens (parts of words); about {percent} % of them are longer.",
                n=processor["size"],
                percent=round(100 * processor["cut"], 1),
            )
        ]

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
    ) -> dict[str, TextExamples]:
        from tlcore.tasks.shared.text_examples import TextExamples, Tokens

        held = Tokens(
            dataset, source.folder if source else None, processor["size"], cache.with_name("tokens") if cache else None
        )
        return {
            split: TextExamples(dataset, split, target["labels"], processor, held)
            for split in ("train", "validation", "test")
        }

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return model.features(batch["ids"], batch["mask"])

    def source_model(
        self, source: OpenSource, target: dict[str, Any], *, size: int | None = None
    ) -> tuple[torch.nn.Module, bool]:
        model = source.build(None, True, image_size=size)
        if source.has_head(model):
            return model, True
        return self.model(source, target, True, size=size), False

    def out_of_distribution(self, processor: dict[str, Any], device: str) -> None:
        """None: there is no measured in-distribution reference for text encoders, so no similarity is shown."""
        return None

    def classes(self, examples: TextExamples) -> np.ndarray:
        return examples.labels

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, TextExamples], target: dict[str, Any]
    ) -> dict[str, Any]:
        """A multinomial logistic head on training features; its regularisation is chosen on validation data."""
        return class_scores.solve(features, examples, len(target["labels"]))

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        from torch.nn import functional

        logits = model(batch["ids"], batch["mask"])
        return functional.cross_entropy(logits.float(), batch["labels"]), logits

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: torch.Tensor) -> np.ndarray:
        return given.float().cpu().numpy()

    def fit_threshold(self, model: torch.nn.Module, validation: Any, outputs: Callable[[], np.ndarray]) -> None:
        return None

    # --- scores --------------------------------------------------------------------------------------------------
    def with_thresholds(self, outputs: np.ndarray, validation: Any, target: dict[str, Any]) -> dict[str, Any]:
        return target

    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Truth, prediction and probabilities of each text; a group (an author, a thread) is one resampling unit."""
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
        self, dataset: Dataset, examples: Mapping[str, TextExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """The most common class, and a logistic regression on words."""
        from tlcore.tasks.text_classification.baselines import fit_baselines

        return fit_baselines(self, examples, target)

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
        """Add word attributions to the worst errors; texts have no image."""
        from tlcore.tasks.shared import word_attributions

        for error in worst:
            error["picture"] = error["gradcam"] = None
        word_attributions.illustrate(worst, dataset, source, weights, processor, labels)


def _lengths(dataset: Dataset, preprocess: Mapping[str, Any]) -> np.ndarray:
    """Token counts of (sampled) training texts; estimated where there is no tokenizer."""
    from tlcore.models import tokenization
    from tlcore.tasks.shared.text_examples import encode

    texts = text_lengths.some(dataset.split("train")["text"], LOOKED_AT)
    if preprocess.get("folder") is None:
        return text_lengths.guessed(texts)
    return np.diff(encode(tokenization.read(Path(preprocess["folder"])), texts, 8_192)[1])
