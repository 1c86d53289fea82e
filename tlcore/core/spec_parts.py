"""The parts of a Spec: data and split, budget, training settings.

Every field has one help sentence, shown by the widgets, ``tlcore --help`` and the docs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

Auto = Literal["auto"]


class SpecPart(BaseModel):
    """A mapping that rejects unknown fields."""

    model_config = ConfigDict(extra="forbid")


class Split(SpecPart):
    """Shares of a random split, for data without a split of their own."""

    validation: float = Field(0.15, gt=0, lt=0.8, description="Share of the examples used to choose settings.")
    test: float = Field(0.2, gt=0, lt=0.8, description="Share of the examples kept for the final score only.")
    seed: int = Field(0, ge=0, description="Seed of the random split.")

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Split:
        if self.validation + self.test > 0.9:
            raise ValueError("validation and test together may take at most 0.9")
        return self


class Data(SpecPart):
    """The location of the examples and how to read them."""

    path: str | None = Field(
        None, description="A zip, folder, table (CSV, JSON lines, Parquet) or hf://owner/name on the hub."
    )
    dataset: str | None = Field(None, description="Fingerprint of a dataset that is in the workspace.")
    split: Split = Field(default_factory=Split, description="Shares for validation and test.")
    group: str | None = Field(
        None,
        description="A column, or a regular expression on file names, that keeps one patient or product in one split.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="Which column of the table is which, as in {image: file, label: kind} or {text: review, label: "
        "stars}.",
    )
    unlabelled: str | None = Field(
        None,
        description="Examples without labels, for a strategy that learns from them: a zip, folder or table, or the "
        "fingerprint of a set that is in the workspace.",
    )
    extra: str | None = Field(
        None,
        description="A second set with labels, for a strategy that takes one: a zip, folder or table, or the "
        "fingerprint of a dataset that is in the workspace.",
    )
    corrections: dict[str, str] | str | None = Field(
        None,
        description="Corrected labels, as a mapping of file to label or a CSV with these columns; an empty one leaves "
        "it out.",
    )

    @model_validator(mode="after")
    def _one_place(self) -> Data:
        if (self.path is None) == (self.dataset is None):
            raise ValueError("give either path or dataset")
        return self


class Budget(SpecPart):
    """How long a run may take."""

    epochs: int | Auto = Field("auto", description="Most epochs of training, or auto.")
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False, description="Most minutes for each arm, or none.")
    baseline: float = Field(
        1.0,
        validation_alias=AliasChoices("baseline", "twin"),
        ge=1,
        le=10,
        allow_inf_nan=False,
        description="How many times the ordinary budget the scratch baseline gets, 1 to 10; above 1 the report shows "
        "both.",
    )

    @model_validator(mode="after")
    def _positive(self) -> Budget:
        if self.epochs != "auto" and not 1 <= self.epochs <= 1000:
            raise ValueError("epochs must be between 1 and 1000")
        return self


class Options(SpecPart):
    """Settings with an automatic default."""

    image_size: int | Auto = Field("auto", description="Side of the square picture that the model sees, in pixels.")
    max_length: int | Auto = Field(
        "auto", description="Tokens (parts of words) that the model reads of a text at most; what follows is cut off."
    )
    source_language: str = Field(
        "auto",
        max_length=40,
        description="Language of the sources as a model of many languages writes it, such as en or eng_Latn.",
    )
    target_language: str = Field(
        "auto",
        max_length=40,
        description="Language of the targets as a model of many languages writes it, such as pt or por_Latn.",
    )
    batch_size: int | Auto = Field("auto", description="Examples in one step of training.")
    learning_rate: float | Auto = Field("auto", description="Learning rate, or auto for a small search.")
    augmentation: Literal["auto", "standard", "no-flip", "none"] = Field(
        "auto", description="Random crops, flips and colours while training; no-flip where mirrored means different."
    )

    @model_validator(mode="after")
    def _bounds(self) -> Options:
        if self.image_size != "auto" and not 16 <= self.image_size <= 1024:
            raise ValueError("image_size must be between 16 and 1024")
        if self.max_length != "auto" and not 8 <= self.max_length <= 512:
            raise ValueError("max_length must be between 8 and 512")
        if self.batch_size != "auto" and not 1 <= self.batch_size <= 4096:
            raise ValueError("batch_size must be between 1 and 4096")
        if self.learning_rate != "auto" and not 0 < self.learning_rate <= 10:
            raise ValueError("learning_rate must be above 0 and at most 10")
        return self


def is_fingerprint(given: str) -> bool:
    """Whether ``given`` is the fingerprint of a dataset in the workspace rather than a path."""
    return len(given) == 16 and given.isalnum() and not Path(given).exists()
