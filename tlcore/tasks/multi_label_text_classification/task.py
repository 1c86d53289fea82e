"""Multi-label text classification: one network with a binary decision for each label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.data.readers.text_labels import BETWEEN
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.tasks.shared import label_sets
from tlcore.tasks.text_classification.task import TextClassification

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.models.source_model import SourceModel
    from tlcore.tasks.shared.text_examples import TextExamples


class MultiLabelTextClassification:
    """`TextClassification` with a binary decision for each label; everything not defined here is delegated to it."""

    id = "multi-label-text-classification"
    title = sentence("Text classification, several labels a text")
    what = sentence(
        "Tell all that applies to a text: the topics of an article, what a complaint is about, or none of it."
    )
    icon = ":material/sell:"
    formats = ("text-labels",)
    roles = (("text", sentence("Column of the text")), ("label", sentence("Column of the labels")))
    labelled = False
    corrects = "labels"
    metrics = (
        Metric("macro-f1", sentence("macro-F1")),
        Metric("micro-f1", sentence("micro-F1")),
        Metric("exact-match", sentence("texts with exactly the right labels")),
    )

    def __init__(self) -> None:
        self._text = TextClassification()

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_text"), name)

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.data.checks.label_sets import check_label_sets

        return [] if rows.empty else check_label_sets(rows, _sets(rows))

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows, split, _sets(rows)))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested_sets

        return nested_sets(rows, _sets(rows), seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """The labels of the training data in alphabetical order, and the default threshold.

        The default applies where `with_thresholds` chose no thresholds on validation data.
        """
        labels = {label for labels in _sets(dataset.split("train")) for label in labels}
        return {"labels": sorted(labels), "threshold": label_sets.THRESHOLD}

    # --- the model -----------------------------------------------------------------------------------------------
    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, TextExamples]:
        """`TextClassification.examples` with multi-label targets.

        ``labels`` (n, labels) bool; ``unknown`` (n,), the number of labels that no training text has.
        """
        made = self._text.examples(dataset, processor, target, cache, source)
        index = {label: place for place, label in enumerate(target["labels"])}
        for these in made.values():
            sets = _sets(dataset.rows.iloc[these.rows])
            these.labels = np.zeros((len(these), len(index)), bool)
            these.unknown = np.array([sum(label not in index for label in labels) for labels in sets], np.int64)
            for row, labels in enumerate(sets):
                these.labels[row, [index[label] for label in labels if label in index]] = True
        return made

    def classes(self, examples: TextExamples) -> None:
        return None

    def solve(
        self, features: Mapping[str, np.ndarray], examples: Mapping[str, TextExamples], target: dict[str, Any]
    ) -> dict[str, Any]:
        """One logistic regression for each label; all share one regularisation, chosen on validation data."""
        from tlcore.models.logistic_head import logistic_heads

        return logistic_heads(
            features["train"], examples["train"].labels, features["validation"], examples["validation"].labels
        )

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        from torch.nn import functional

        logits = model(batch["ids"], batch["mask"])
        return functional.binary_cross_entropy_with_logits(logits.float(), batch["labels"].float()), logits

    # --- scores --------------------------------------------------------------------------------------------------
    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        return label_sets.evaluate(outputs, examples, target)

    def with_thresholds(self, outputs: np.ndarray, validation: TextExamples, target: dict[str, Any]) -> dict[str, Any]:
        """Adds ``thresholds``: the probability from which each label is predicted."""
        return label_sets.with_thresholds(outputs, validation, target)

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]]:
        rows, labels = dataset.split("test"), np.array(self.fit_target(dataset)["labels"])
        return [
            {
                "id": name,
                "text": text,
                "truth": truth,
                "prediction": BETWEEN.join(labels[predicted]),
                "score": float(score),
            }
            for name, text, truth, predicted, score in zip(
                records.ids,
                rows["text"],
                rows["labels"],
                records.columns["prediction"],
                label_sets.overlap(records),
                strict=True,
            )
        ]

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        return label_sets.by_label(records, target)

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        return label_sets.aggregate(records, weights)

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, TextExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """The most common label set, and a logistic regression on words for each label."""
        from tlcore.tasks.text_classification.baselines import baselines_of_sets

        return baselines_of_sets(self, examples, target)

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
        """No attributions: several labels are predicted at once, each from different words."""
        for error in worst:
            error["picture"] = error["gradcam"] = None


def _sets(rows: pd.DataFrame) -> list[list[str]]:
    """The labels of each row."""
    return [[label for label in joined.split(BETWEEN) if label] for joined in rows["labels"]]
