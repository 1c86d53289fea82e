"""Evidence: measurements of the data before training."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tlcore.core.i18n import Sentence
from tlcore.guidance.data_size import Size
from tlcore.guidance.similarity import Part

VERSION = 4  # of the measurements; a change of it makes cached Evidence stale


class Evidence(BaseModel):
    """Measurements of a dataset with a source; None: not measured or not measurable."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)

    modality: str = Field("image", alias="material")  # JSON keeps the old name "material"
    n_train: int
    n_per_class: dict[str, int]  # training examples of each label; empty where the task has no classes
    fewest: int  # examples in the smallest class; all examples if the task has no classes
    imbalance: float  # largest class over smallest
    strategies: list[str] = Field(default_factory=list)  # ids of the strategies considered for the advice
    parameters: int | None = None  # of the source model, if known
    set_aside: int
    size: Size | None = None
    similarity: float | None = None  # 0-1
    similarity_interval: list[float] | None = None  # 95 %
    similarity_parts: list[Part] = Field(default_factory=list)
    transferability: dict[str, Any] | None = None  # result of `transferability.estimate`
    source: dict[str, str] | None = None  # {"id", "title"}
    relevance: Sentence | None = None
    seconds: float | None = None  # duration of the measurement
    thorough: bool = False  # False: only the cheap estimators of a ranking
