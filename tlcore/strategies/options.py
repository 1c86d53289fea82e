"""The settings of a strategy. The widget, the command line and the docs share one help sentence per setting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tlcore.core.i18n import Sentence


@dataclass(frozen=True)
class Option:
    """A number within bounds, a boolean, or one of some ``choices``; its type is that of ``default``."""

    id: str
    title: Sentence
    help: Sentence
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[tuple[str, Sentence], ...] = ()

    def checked(self, value: Any) -> Any:
        """The value in the option's type. Raises ValueError with the allowed values."""
        if self.choices:
            names = [name for name, _ in self.choices]
            if value not in names:
                raise ValueError(f"{self.id} must be one of {', '.join(names)}")
            return value
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ValueError(f"{self.id} must be true or false")
            return value
        whole = isinstance(self.default, int)
        right = isinstance(value, int | float) and not isinstance(value, bool) and value == value
        if not right or (whole and value != int(value)) or not self.low <= value <= self.high:
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{self.id} must be {kind} from {self.low:g} to {self.high:g}")
        return int(value) if whole else float(value)

    def to_json(self) -> dict[str, Any]:
        """The JSON printed by ``tlcore strategies --json``."""
        found = {"id": self.id, "help": str(self.help), "default": self.default}
        if self.choices:
            return {**found, "choices": [name for name, _ in self.choices]}
        return found if isinstance(self.default, bool) else {**found, "low": self.low, "high": self.high}
