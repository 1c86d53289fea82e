"""What a check found, in words a person can act on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from tlcore.words import Sentence


class Finding(BaseModel):
    """``error`` keeps the upload from becoming a dataset, ``warning`` asks for a look, ``note`` only tells."""

    level: Literal["error", "warning", "note"]
    code: str
    sentence: Sentence
    fix: Sentence | None = None
    count: int = 0
    examples: list[str] = Field(default_factory=list)


class SetAside(BaseModel):
    """One row or file that was left out, and why; all of them can be downloaded as a list."""

    file: str
    row: int | None = None
    reason: Sentence
