"""JSON that every database takes: numpy scalars become numbers, and what is not finite becomes null."""

from __future__ import annotations

import json
import math
from typing import Any


def to_json(value: Any) -> str:
    """JSON text of ``value``. PostgreSQL refuses NaN, and a loss that ran away must not end a run."""
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(mode="json"))
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)
