"""Files of the workspace read back. One that is damaged or gone is said with its name and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pydantic import BaseModel

Model = TypeVar("Model", bound="BaseModel")
Value = TypeVar("Value")

DATASET = sentence(
    "Put back a copy of the folder from a backup, or remove it and confirm the same data again, which makes it anew."
)
STAGED = sentence("Check the upload again.")
RUN = sentence("Put back a copy of the file from a backup, or start a new run of the same spec.")


def read_model(path: Path, model: type[Model], advice: Sentence) -> Model:
    """A JSON file as a pydantic model. Raises UnusableInput."""
    return _read(path, advice, lambda: model.model_validate_json(path.read_bytes()))


def read_models(path: Path, model: type[Model], advice: Sentence) -> list[Model]:
    """A JSON file with a list of them. Raises UnusableInput."""

    def items() -> list[Model]:
        value = json.loads(path.read_bytes())
        if not isinstance(value, list):
            raise TypeError("not a list")
        return [model.model_validate(item) for item in value]

    return _read(path, advice, items)


def read_object(path: Path, advice: Sentence, keys: Collection[str] = ()) -> dict[str, Any]:
    """A JSON file with one object, which has at least these keys. Raises UnusableInput."""

    def value() -> dict[str, Any]:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or not set(keys) <= set(found):
            raise TypeError("not an object with these keys")
        return found

    return _read(path, advice, value)


def read_rows(path: Path, advice: Sentence, columns: Collection[str] = ()) -> pd.DataFrame:
    """A Parquet file with at least these columns. Raises UnusableInput."""
    import pandas as pd

    def rows() -> pd.DataFrame:
        found = pd.read_parquet(path)
        if not set(columns) <= set(found):
            raise TypeError("columns are missing")
        return found

    return _read(path, advice, rows)


def read_array(path: Path, advice: Sentence) -> np.ndarray:
    """An array as NumPy keeps it. Raises UnusableInput."""
    import numpy as np

    return _read(path, advice, lambda: np.load(path))


def damaged(path: Path, advice: Sentence) -> UnusableInput:
    """That a file of the workspace cannot be read; it is named with the run or the folder that it lies in."""
    parts = path.parts
    start = parts.index("attempts") - 1 if "attempts" in parts[1:] else -2
    name = "/".join(parts[start:])
    return UnusableInput(
        sentence("The file {file} of the workspace is damaged or missing. {advice}", file=name, advice=advice),
        code="damaged-file",
        file=name,
    )


def _read(path: Path, advice: Sentence, read: Callable[[], Value]) -> Value:
    try:
        return read()
    except MemoryError:  # which Arrow's own is as well
        raise
    except Exception:  # whatever Arrow, JSON, NumPy and pydantic make of damaged bytes
        raise damaged(path, advice) from None
