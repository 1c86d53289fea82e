"""The interface of a bundled sample."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from tlcore.core import atomic_files
from tlcore.core.i18n import Sentence


class Sample(Protocol):
    """A small dataset that the studio generates. One file in this folder, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    task: str
    spec: dict[str, Any]  # Spec fields that suit it; a run takes a few minutes on two cores

    def write(self, folder: Path) -> Path:
        """Write the sample below ``folder`` as an upload of its task (a zip of one folder per class, or a table).

        The bytes are the same each time.
        """


def write_zip(path: Path, pictures: Iterable[tuple[str, Image.Image]]) -> Path:
    """Write images by name as PNG to a zip. Atomic; fixed dates make equal images give equal bytes."""
    with atomic_files.atomic_path(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in pictures:
            out = io.BytesIO()
            picture.save(out, "PNG")
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), out.getvalue())
    return path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """Write a table as CSV. Equal rows give equal bytes."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    atomic_files.write(path, out.getvalue())
    return path
