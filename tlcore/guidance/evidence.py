"""Evidence: what is known of the data before anything is trained. No torch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from tlcore.data.dataset import Dataset


class Evidence(BaseModel):
    """What was measured; None is what could not be."""

    n_train: int
    n_per_class: dict[str, int]  # training examples of each label
    fewest: int  # in the smallest class
    imbalance: float  # largest class over smallest
    set_aside: int
    similarity: float | None = None
    transferability: dict[str, Any] | None = None


def measure(dataset: Dataset) -> Evidence:
    """Count the training examples; test data are never looked at."""
    counts = dataset.split("train")["label"].value_counts().sort_index()
    per_class = {str(label): int(n) for label, n in counts.items()}
    fewest, most = min(per_class.values()), max(per_class.values())
    return Evidence(
        n_train=sum(per_class.values()),
        n_per_class=per_class,
        fewest=fewest,
        imbalance=round(most / fewest, 2),
        set_aside=dataset.info.set_aside,
    )
