"""What a bundled sample provides."""

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
    """A small data set that the studio makes. One file in this folder, one line in its ``__init__``."""

    id: str
    title: Sentence
    what: Sentence
    task: str
    spec: dict[str, Any]  # fields of the Spec that fit it and end in a few minutes on two cores

    def write(self, folder: Path) -> Path:
        """Make the sample as an upload of its task's (a zip of one folder a class, a table) below ``folder``; the same
        bytes each time."""


def write_zip(path: Path, pictures: Iterable[tuple[str, Image.Image]]) -> Path:
    """Pack pictures by name as PNG; atomic, and with fixed dates so that the same pictures give the same
    zip.
    """
    with atomic_files.atomic_path(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, picture in pictures:
            out = io.BytesIO()
            picture.save(out, "PNG")
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), out.getvalue())
    return path


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A table as CSV: the same rows give the same bytes."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    atomic_files.write(path, out.getvalue())
    return path
