"""Image ingest: each image is read once, checked, and stored under its content hash, in bounded memory.

An image that browsers and predict.py can read as it is stays byte for byte the same. Any other is converted once.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tlcore.core import atomic_files
from tlcore.core.errors import UnusableInput
from tlcore.core.findings import Finding, RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.uploads import memory
from tlcore.modalities.contract import RawRow
from tlcore.runtime.images import broken, open_header, to_rgb

MIN_SIDE = 8
MAX_SIDE_AS_IS = 4096
MAX_SIDE = 2048
LOSSLESS_SIDE = 1024
THUMB = 16
_PLAIN = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_ORIENTATION = 0x0112


@dataclass(frozen=True, slots=True)
class Kept:
    """Metadata of one stored image. Sizes are those of the original, in pixels and bytes."""

    raw: RawRow
    file: str  # below files/
    sha256: str  # of the original bytes
    width: int
    height: int
    size: int
    hash: int  # 64-bit difference hash
    thumb: bytes  # THUMB × THUMB grey values
    grey: bool
    rotated: bool
    converted: bool


def ingest_pictures(
    rows: Iterable[RawRow | RejectedRow | Finding], files: Path
) -> Iterator[Kept | RejectedRow | Finding]:
    """Store each row's image below ``files``, in order. An image that cannot be used becomes a RejectedRow.

    Two to four threads decode (Pillow releases the GIL); at most about four images per thread are in memory.
    """
    workers = max(2, min(4, os.cpu_count() or 2))
    waiting: deque[Future[Kept | RejectedRow] | RejectedRow | Finding] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="pictures")
    try:
        for row in rows:
            waiting.append(pool.submit(_keep, row, files) if isinstance(row, RawRow) else row)
            while len(waiting) > 4 * workers:
                yield _done(waiting.popleft())
        while waiting:
            yield _done(waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _done(item: Future[Kept | RejectedRow] | RejectedRow | Finding) -> Kept | RejectedRow | Finding:
    return item.result() if isinstance(item, Future) else item


def _keep(row: RawRow, files: Path) -> Kept | RejectedRow:
    try:
        with memory.named(row.id):
            return keep(row, files)
    except UnusableInput as problem:
        return RejectedRow(file=row.id, row=row.row, reason=problem.sentence)


def keep(row: RawRow, files: Path) -> Kept:
    """Read, check and store one image. Raises UnusableInput with the reason where it cannot be used."""
    data = row.picture if isinstance(row.picture, bytes) else row.picture.read()
    image = open_header(data)
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise UnusableInput(
            sentence(
                "The picture is only {width} × {height} pixels; at least {least} a side are needed.",
                width=width,
                height=height,
                least=MIN_SIDE,
            ),
            code="too-small",
            file=row.id,
        )
    kind = image.format or ""
    try:
        # In a PNG the EXIF data may follow the pixels; reading it decodes the image.
        rotated = image.getexif().get(_ORIENTATION, 1) not in (0, 1)
        as_is = kind in _PLAIN and not rotated and max(width, height) <= MAX_SIDE_AS_IS and _plain(image)
        if as_is and kind == "JPEG":
            # A thumbnail is enough. libjpeg still reads to the end of the file, so truncation is detected.
            image.draft(image.mode, (4 * THUMB, 4 * THUMB))
        image.load()
        plain = image if as_is else to_rgb(image)
        grey = plain.convert("L")
    except MemoryError:
        raise memory.not_enough(row.id) from None
    except Exception as error:
        raise broken(error, row.id) from None
    digest = hashlib.sha256(data).hexdigest()
    if as_is:
        file = _store(files, digest, _PLAIN[kind], data)
    else:
        file = _store(files, digest, *_encode(plain, lossy=kind in ("JPEG", "MPO", "HEIF", "AVIF")))
    small = np.asarray(grey.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return Kept(
        raw=RawRow(row.id, b"", row.label, row.split, row.group, row.row, row.more),
        file=file,
        sha256=digest,
        width=width,
        height=height,
        size=len(data),
        hash=int.from_bytes(bits.tobytes(), "big"),
        thumb=grey.resize((THUMB, THUMB), Image.Resampling.BOX).tobytes(),
        grey=_is_grey(plain),
        rotated=rotated,
        converted=not as_is,
    )


def _plain(image: Image.Image) -> bool:
    """Whether the image is opaque 8-bit RGB or greyscale, with one frame."""
    moves = getattr(image, "is_animated", False)
    return image.mode in ("RGB", "L") and "transparency" not in image.info and not moves


def _encode(image: Image.Image, *, lossy: bool) -> tuple[str, bytes]:
    """File extension and bytes of the converted image.

    PNG where the longer side is at most ``LOSSLESS_SIDE`` and the source was lossless, else JPEG at quality 95.
    """
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    image.info.clear()
    out = io.BytesIO()
    if max(image.size) <= LOSSLESS_SIDE and not lossy:
        image.save(out, "PNG")
        return "png", out.getvalue()
    image.save(out, "JPEG", quality=95, subsampling=0)
    return "jpg", out.getvalue()


def _store(files: Path, digest: str, ending: str, data: bytes) -> str:
    """Write the file once, atomically, and return its path below ``files``. Rows with equal content share the file."""
    name = f"{digest[:2]}/{digest}.{ending}"
    path = files / name
    if not path.exists():
        atomic_files.write(path, data)
    return name


def _is_grey(image: Image.Image) -> bool:
    """Whether all colours are grey, tested on a small copy with a tolerance of 3 levels for JPEG noise."""
    if image.mode == "L":
        return True
    small = np.asarray(image.resize((THUMB, THUMB), Image.Resampling.NEAREST), dtype=np.int16)
    return bool((small.max(axis=2) - small.min(axis=2)).max() <= 3)
