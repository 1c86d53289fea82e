"""Named entity recognition: the words of a text that name a person, a place, a product, with labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlcore.core.i18n import sentence
from tlcore.data.readers.entity_tags import spans_of
from tlcore.evaluation.records import Baseline, Metric, Records
from tlcore.runtime.text_spans import shown
from tlcore.tasks.text_classification.task import MOST_TOKENS, TextClassification
from tlcore.tasks.token_classification import entity_scores

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from tlcore.core.findings import Finding
    from tlcore.core.spec_parts import Options, Split
    from tlcore.data.dataset import Dataset
    from tlcore.models.loading import OpenSource
    from tlcore.tasks.token_classification.examples import TokenExamples


class TokenClassification:
    """A BIO tag for each word of a text, from a linear head on the vector of the word's first token.

    Everything not defined here, such as tokenization, is delegated to `TextClassification`.
    """

    id = "token-classification"
    title = sentence("Named entities")
    what = sentence("Find the words of a text that name something: people, places, organisations, products, amounts.")
    icon = ":material/person_pin_circle:"
    bundle = "tokens"
    formats = ("token-table", "token-columns")
    roles = (
        ("tokens", sentence("Column of the tokens")),
        ("tags", sentence("Column of the tags")),
        ("sentence", sentence("Column that says which sentence a token is in")),
        ("text", sentence("Column of the text")),
        ("entities", sentence("Column of the entities")),
    )
    labelled = has_convex_head = False
    corrects = None
    metrics = (
        Metric("entity-f1", sentence("entity F1")),
        Metric("precision", sentence("precision")),
        Metric("recall", sentence("recall")),
    )

    def __init__(self) -> None:
        self._text = TextClassification()

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_text"), name)

    # --- data ----------------------------------------------------------------------------------------------------
    def check(self, rows: pd.DataFrame) -> list[Finding]:
        from tlcore.data.checks.label_sets import check_entities

        return [] if rows.empty else check_entities(rows, _labels(rows))

    def split(self, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
        from tlcore.data.splits import stratified

        return rows.assign(split=stratified(rows, split, [sorted(set(own)) for own in _labels(rows)]))

    def nested(self, rows: pd.DataFrame, seed: int) -> list[np.ndarray]:
        from tlcore.data.nested_subsets import nested_sets

        return nested_sets(rows, _labels(rows), seed)

    def fit_target(self, dataset: Dataset) -> dict[str, Any]:
        """``labels``: the tags in the order of the outputs; ``entities``: the training labels in alphabetical order."""
        kinds = sorted({label for own in _labels(dataset.split("train")) for label in own})
        return {"labels": ["O", *(f"{mark}-{kind}" for kind in kinds for mark in "BI")], "entities": kinds}

    # --- the model -----------------------------------------------------------------------------------------------
    def processor(
        self, preprocess: Mapping[str, Any], options: Options, dataset: Dataset, device: str
    ) -> dict[str, Any]:
        """As `TextClassification.processor`, but ``auto`` takes the longest input: entities cut off cannot be found."""
        if options.max_length == "auto":
            most = min(int(preprocess["input_size"]), MOST_TOKENS["cpu" if device == "cpu" else "cuda"])
            options = options.model_copy(update={"max_length": most})
        return self._text.processor(preprocess, options, dataset, device)

    def saved_preprocessing(self, processor: dict[str, Any]) -> dict[str, Any]:
        return {"max_length": processor["size"], "pooling": "none"}

    def examples(
        self,
        dataset: Dataset,
        processor: dict[str, Any],
        target: dict[str, Any],
        cache: Path | None,
        source: OpenSource | None = None,
    ) -> dict[str, TokenExamples]:
        from tlcore.tasks.token_classification.examples import TokenExamples, Words

        held = Words(
            dataset, source.folder if source else None, processor["size"], cache.with_name("tokens") if cache else None
        )
        return {
            split: TokenExamples(dataset, split, target["labels"], processor, held)
            for split in ("train", "validation", "test")
        }

    def features(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> None:
        return None

    def classes(self, examples: TokenExamples) -> None:
        return None

    def loss(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean cross-entropy over the words of the batch, and logits (k, tokens, tags)."""
        from torch.nn import functional

        logits = model.each(batch["ids"], batch["mask"])
        tags = batch["tags"].flatten()
        total = functional.cross_entropy(logits.flatten(0, 1).float(), tags, reduction="sum")
        return total / (tags >= 0).sum().clamp(min=1), logits

    def outputs(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], given: torch.Tensor) -> np.ndarray:
        """``tags`` (k, words) of each word and ``sure`` (k, words), their probabilities; padded with -1 and 0."""
        share, tag = given.float().softmax(dim=-1).max(dim=-1)
        places = batch["places"]
        at, there = places.clamp(min=0), places >= 0
        out = np.empty(len(places), [("tags", np.int16, (places.shape[1],)), ("sure", np.float32, (places.shape[1],))])
        out["tags"] = tag.gather(1, at).where(there, -1).cpu().numpy()
        out["sure"] = share.gather(1, at).where(there, 0.0).cpu().numpy()
        return out

    # --- scores --------------------------------------------------------------------------------------------------
    def evaluate(self, outputs: np.ndarray, examples: Any, target: dict[str, Any]) -> Records:
        """Counts of correct, predicted and true entities of each text; a group (a document) is one resampling unit."""
        found = [examples.found(outputs, place) for place in range(len(examples))]
        return entity_scores.records(examples, found, target["entities"])

    def answers(self, records: Records, dataset: Dataset) -> list[dict[str, Any]]:
        rows = dataset.split("test")
        return [
            {"id": name, "text": text, "truth": truth, "prediction": shown(text, found), "score": float(score)}
            for name, text, truth, found, score in zip(
                records.ids,
                rows["text"],
                rows["marked"],
                records.columns["spans"],
                entity_scores.of_each(records),
                strict=True,
            )
        ]

    def by_label(self, records: Records, target: dict[str, Any]) -> dict[str, Any]:
        """Scores by entity label; these, not the network's tags, are the report's ``labels``."""
        return {"labels": target["entities"], **entity_scores.by_label(records, target["entities"])}

    def aggregate(self, records: Records, weights: np.ndarray, target: dict[str, Any]) -> dict[str, np.ndarray]:
        return entity_scores.aggregate(records, weights)

    def baselines(
        self, dataset: Dataset, examples: Mapping[str, TokenExamples], target: dict[str, Any], source: OpenSource
    ) -> list[Baseline]:
        """No entity, and a dictionary of the training entities."""
        from tlcore.tasks.token_classification.baselines import fit_baselines

        return fit_baselines(examples, target["entities"])


def _labels(rows: pd.DataFrame) -> list[list[str]]:
    """The labels of the entities of each row, one for each entity."""
    return [[label for _, _, label in spans_of(stored)] for stored in rows["entities"]]
