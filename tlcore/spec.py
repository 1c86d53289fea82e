"""The Spec: the settings of a run. Pages edit it, the command line runs it, a run stores it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from tlcore import strategies, tasks
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence
from tlcore.core.paths import is_there, resolved_path, usable_path
from tlcore.core.spec_parts import Budget, Data, Options, SpecPart, is_fingerprint
from tlcore.strategies.contract import resolved

MAX_BYTES = 1_000_000


class Spec(SpecPart):
    """One experiment: a transfer run and, unless disabled, its scratch baseline."""

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
    def _source_of_the_task(cls, values: Any) -> Any:
        """Fill in the task's default source if none is given."""
        if isinstance(values, dict) and "source" not in values:
            known = {task.id: task.default_source for task in tasks.TASKS}
            if isinstance(values.get("task"), str) and values["task"] in known:
                return {**values, "source": known[values["task"]]}
        return values

    @model_validator(mode="after")
    def _options_of_the_strategy(self) -> Spec:
        """Check the options of the chosen strategy; the plan resolves those not given. Raises ValueError."""
        if self.strategy_options:
            found = next((one for one in strategies.STRATEGIES if one.id == self.strategy), None)
            if found is None:
                raise ValueError("strategy_options need the name of a strategy beside them")
            resolved(found, self.strategy_options)
        return self

    def with_strategy(self, strategy: str) -> Spec:
        """The same Spec with another strategy and no strategy options."""
        return self.model_copy(update={"strategy": strategy, "strategy_options": {}})

    def to_yaml(self) -> str:
        """The Spec as YAML for `tlcore run`."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def from_yaml(text: str, *, file: str | None = None, base: Path | None = None) -> Spec:
    """Read a Spec from YAML. Relative paths are resolved against ``base``, else the current folder.

    Raises UnusableInput with the wrong field.
    """
    if len(text) > MAX_BYTES:
        raise UnusableInput(
            sentence("The spec is larger than 1 MB; a spec is a short YAML file."), code="spec", file=file
        )
    try:
        raw = yaml.load(text, Loader=_PlainLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnusableInput(
            sentence("The spec is not plain YAML: {problem}", problem=str(getattr(error, "problem", None) or error)),
            code="spec",
            file=file,
            row=mark.line + 1 if mark else None,
        ) from None
    except (RecursionError, ValueError) as error:
        raise UnusableInput(
            sentence("The spec is not plain YAML: {problem}", problem=str(error)), code="spec", file=file
        ) from None
    if not isinstance(raw, dict):
        raise UnusableInput(
            sentence("The spec must be a mapping of fields such as task, data and source."), code="spec", file=file
        )
    return from_dict(raw, file=file, base=base)


def from_dict(raw: dict[str, Any], *, file: str | None = None, base: Path | None = None) -> Spec:
    """Validate a mapping as a Spec. Raises UnusableInput with the first wrong field."""
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "spec"
        problem = first["msg"].removeprefix("Value error, ")
        raise UnusableInput(
            sentence("The field {field} of the spec cannot be used: {problem}.", field=field, problem=problem),
            code="spec",
            file=file,
        ) from None
    return spec if base is None else _resolve(spec, base)


def _resolve(spec: Spec, base: Path) -> Spec:
    """The Spec with absolute paths."""
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


def _absolute(path: str, base: Path) -> str:
    """The absolute path, relative to the Spec's folder ``base``, or to the current folder if it exists only there.

    Raises UnusableInput for an unusable path.
    """
    given = usable_path(path)
    beside, here = resolved_path(base / given), resolved_path(given)
    return str(here if is_there(here) and not is_there(beside) else beside)


class _PlainLoader(yaml.SafeLoader):
    """Safe YAML without aliases, so that a few lines cannot expand to gigabytes."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, "aliases (*name) are not allowed", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)
