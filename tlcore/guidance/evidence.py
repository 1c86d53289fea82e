"""Evidence: what is known of the data before anything is trained."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tlcore.core.i18n import Sentence
from tlcore.guidance.data_size import Size
from tlcore.guidance.similarity import Part

VERSION = 4  # of what is measured, and how: a newer one measures anew


class Evidence(BaseModel):
    """What was measured; None is what was not, or could not be."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    modality: str = Field("image", alias="material")  # what the examples are made of; JSON keeps its first name
    n_train: int
    n_per_class: dict[str, int]  # training examples of each label; empty where the task has no classes
    fewest: int  # in the smallest class; all of them where the task has no classes
    imbalance: float  # largest class over smallest
    strategies: list[str] = Field(default_factory=list)  # ids of those that are advised among
    parameters: int | None = None  # of the source model, where it is known
    set_aside: int
    size: Size | None = None
    similarity: float | None = None  # 0-1
    similarity_interval: list[float] | None = None  # 95 %
    similarity_parts: list[Part] = Field(default_factory=list)
    transferability: dict[str, Any] | None = None  # as `transferability.estimate` gives it
    source: dict[str, str] | None = None  # {"id", "title"}
    relevance: Sentence | None = None
    seconds: float | None = None  # that measuring took
    thorough: bool = False  # False: by the cheap estimators of a ranking alone
