"""JSON that everything takes: numpy's numbers and arrays unwrapped, and what is not finite as null."""

from __future__ import annotations

import json
import math
from typing import Any


def to_plain(value: Any) -> Any:
    """The value as strict JSON has it; what JSON does not know becomes text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [to_plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return to_plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    return str(value)


def to_json(value: Any) -> str:
    """JSON text of ``value``. PostgreSQL refuses NaN, and a loss that ran away must not end a run."""
    return json.dumps(to_plain(value), allow_nan=False)
