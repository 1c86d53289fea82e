"""Files that are there whole or not at all: written beside their place, and moved there in one step."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

_DRAFT = re.compile(r"\..+\.\d+(-[0-9a-f]{4})?\.tmp\Z")


def is_draft(name: str) -> bool:
    """Whether a file name is one of those that are written to before they take their place."""
    return bool(_DRAFT.match(name))


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` at the end: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(2)}.tmp")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write(path: Path, content: str | bytes) -> None:
    """Write a file; text is UTF-8."""
    with atomic_path(path) as beside:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
