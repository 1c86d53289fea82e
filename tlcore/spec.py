"""The Spec: what a person asked for. The pages edit it, the command line runs it, a run keeps it.

Every field carries one help sentence; the widgets, ``tlcore --help`` and the docs all show that one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tlcore.errors import UnusableInput
from tlcore.words import say

Auto = Literal["auto"]
MAX_BYTES = 1_000_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Split(_Part):
    """Shares cut from the data where the person gives no split of their own."""

    validation: float = Field(0.15, gt=0, lt=0.8, description="Share of the examples used to choose settings.")
    test: float = Field(0.2, gt=0, lt=0.8, description="Share of the examples kept for the final score only.")
    seed: int = Field(0, ge=0, description="Seed of the random split.")

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> Split:
        if self.validation + self.test > 0.9:
            raise ValueError("validation and test together may take at most 0.9")
        return self


class Data(_Part):
    """Where the examples are, and how they are read."""

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


class Budget(_Part):
    """How long a run may take."""

    epochs: int | Auto = Field("auto", description="Most epochs of training, or auto.")
    minutes: float | None = Field(None, gt=0, allow_inf_nan=False, description="Most minutes for each arm, or none.")
    twin: float = Field(
        1.0, ge=1, le=10, allow_inf_nan=False,
        description="How many times the ordinary budget the from-scratch twin gets, 1 to 10; above 1 the report shows "
        "both.",
    )  # fmt: skip

    @model_validator(mode="after")
    def _positive(self) -> Budget:
        if self.epochs != "auto" and not 1 <= self.epochs <= 1000:
            raise ValueError("epochs must be between 1 and 1000")
        return self


class Options(_Part):
    """Settings a person may leave to the studio."""

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


class Spec(_Part):
    """One experiment: a transfer run and, unless refused, its from-scratch twin."""

    name: str = Field("untitled", min_length=1, max_length=120, description="Name of the run.")
    task: str = Field(description="What is learned, as in `tlcore tasks`.")
    data: Data = Field(description="What it is learned from.")
    source: str = Field(
        "bundled/studio-base",
        description="The source model: bundled/<id>, timm/<name>, <owner>/<name>[@revision], a folder, "
        "a bundle, or library/<id>.",
    )
    strategy: str = Field("auto", description="How it is transferred, as in `tlcore strategies`, or auto.")
    strategy_options: dict[str, Any] = Field(
        default_factory=dict, description="Settings of the strategy that is named, as `tlcore strategies` lists them."
    )
    baseline: Literal["scratch", "none"] = Field("scratch", description="Train the from-scratch twin, or not.")
    seeds: int = Field(3, ge=1, le=20, description="How many times each arm is trained, with another seed each time.")
    budget: Budget = Field(default_factory=Budget, description="How long it may take.")
    options: Options = Field(default_factory=Options, description="Settings of training.")

    @model_validator(mode="before")
    @classmethod
    def _source_of_the_task(cls, told: Any) -> Any:
        """Where no source is named, the one that the task begins with."""
        if isinstance(told, dict) and "source" not in told:
            from tlcore.tasks import TASKS

            known = {task.id: task.default_source for task in TASKS}
            if isinstance(told.get("task"), str) and told["task"] in known:
                return {**told, "source": known[told["task"]]}
        return told

    @model_validator(mode="after")
    def _options_of_the_strategy(self) -> Spec:
        """Values of the chosen strategy's own options; what is not given stays open for the plan."""
        if self.strategy_options:
            from tlcore.strategies import STRATEGIES
            from tlcore.strategies.options import resolved

            found = next((one for one in STRATEGIES if one.id == self.strategy), None)
            if found is None:
                raise ValueError("strategy_options need the name of a strategy beside them")
            resolved(found, self.strategy_options)
        return self

    def with_strategy(self, strategy: str) -> Spec:
        """The same with another strategy, whose options are left open."""
        return self.model_copy(update={"strategy": strategy, "strategy_options": {}})

    def to_yaml(self) -> str:
        """The Spec as YAML that `tlcore run` takes."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_yaml(text: str, *, file: str | None = None, base: Path | None = None) -> Spec:
    """Read a Spec; relative paths in it count from ``base``, else from the current folder.

    Raises UnusableInput naming the field.
    """
    if len(text) > MAX_BYTES:
        raise UnusableInput(say("The spec is larger than 1 MB; a spec is a short YAML file."), code="spec", file=file)
    try:
        raw = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnusableInput(
            say("The spec is not plain YAML: {problem}", problem=str(getattr(error, "problem", None) or error)),
            code="spec", file=file, row=mark.line + 1 if mark else None,
        ) from None  # fmt: skip
    except (RecursionError, ValueError) as error:
        raise UnusableInput(say("The spec is not plain YAML: {problem}", problem=str(error)), code="spec",
                            file=file) from None  # fmt: skip
    if not isinstance(raw, dict):
        raise UnusableInput(say("The spec must be a mapping of fields such as task, data and source."), code="spec",
                            file=file)  # fmt: skip
    return from_dict(raw, file=file, base=base)


def from_dict(raw: dict[str, Any], *, file: str | None = None, base: Path | None = None) -> Spec:
    """Validate a mapping as a Spec. Raises UnusableInput naming the first field that is wrong."""
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "spec"
        problem = first["msg"].removeprefix("Value error, ")
        raise UnusableInput(
            say("The field {field} of the spec cannot be used: {problem}.", field=field, problem=problem),
            code="spec", file=file,
        ) from None  # fmt: skip
    return spec if base is None else _resolve(spec, base)


def _resolve(spec: Spec, base: Path) -> Spec:
    """Paths in the Spec made absolute."""
    data = spec.data
    updates: dict[str, Any] = {}
    if data.path and not data.path.startswith("hf://"):
        updates["path"] = _absolute(data.path, base)
    for name in ("unlabelled", "extra"):
        given = getattr(data, name)
        if given and not given.startswith("hf://") and not is_fingerprint(given):
            updates[name] = _absolute(given, base)
    if isinstance(data.corrections, str):
        updates["corrections"] = _absolute(data.corrections, base)
    source = spec.source
    if source.startswith(("./", "../", "~")) or source.endswith(".zip"):
        source = _absolute(source, base)
    return spec.model_copy(update={"data": data.model_copy(update=updates), "source": source})


def is_fingerprint(given: str) -> bool:
    """Whether this names a dataset of the workspace, and not a path."""
    return len(given) == 16 and given.isalnum() and not Path(given).exists()


def _absolute(path: str, base: Path) -> str:
    """A path counts from the folder the Spec lies in, else from the current one."""
    beside = (base / Path(path).expanduser()).resolve()
    here = Path(path).expanduser().resolve()
    return str(here if here.exists() and not beside.exists() else beside)


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without anchors, so that a few lines cannot unfold into gigabytes."""

    def compose_node(self, parent, index):  # type: ignore[no-untyped-def]
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not allowed",
                                              self.peek_event().start_mark)  # fmt: skip
        return super().compose_node(parent, index)
