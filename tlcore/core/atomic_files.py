"""Atomic file writes: to a temporary file beside the target, then moved there in one step."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

_DRAFT = re.compile(r"\..+\.\d+(-[0-9a-f]{4})?\.tmp\Z")


def is_draft(name: str) -> bool:
    """Whether a file name is that of a temporary file of `atomic_path`."""
    return bool(_DRAFT.match(name))


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path that replaces ``path`` on exit: a reader sees either the old or the new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(2)}.tmp")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a file atomically; text is UTF-8."""
    with atomic_path(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
