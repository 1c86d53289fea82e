"""Thumbnails for the pages, cached in memory by file and modification time."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from tlcore.core.i18n import t
from tlcore.ui.formatting import plain, short

if TYPE_CHECKING:
    from PIL import Image

SIDE = 144


def thumbnail(path: Path, side: int = SIDE) -> bytes:
    """A JPEG of at most ``side`` pixels per side; a grey square if the file cannot be decoded."""
    try:
        stamp = path.stat().st_mtime
    except OSError:
        stamp = 0.0
    return _thumbnail(str(path), stamp, side)


@st.cache_data(max_entries=3000, show_spinner=False)
def _thumbnail(path: str, stamp: float, side: int) -> bytes:
    return small(path, side) or _grey(side)


def small(source: str | bytes, side: int = 440) -> bytes | None:
    """A picture (path or bytes) as a JPEG of at most ``side`` pixels per side; None if unreadable."""
    from PIL import Image, ImageOps
    from pillow_heif import register_heif_opener

    register_heif_opener()
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
            opened.draft("RGB", (2 * side, 2 * side))
            picture = _visible(ImageOps.exif_transpose(opened))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    picture.thumbnail((side, side))
    if max(picture.size) < side:  # tiny pictures are enlarged without interpolation
        scale = max(1, side // max(picture.size))
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    return _jpeg(picture)


def _grey(side: int) -> bytes:
    from PIL import Image

    return _jpeg(Image.new("RGB", (side, side), (128, 128, 128)))


def _jpeg(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def _visible(picture: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: 16-bit grey scaled to 8 bits, transparency on white."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):
        low, high = picture.getextrema()
        scale = 255 / (high - low) if high > low else 0
        picture = picture.point(lambda value: (value - low) * scale).convert("L")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert("RGB")


def data_url(path: Path, side: int = 72) -> str:
    """The thumbnail as a data URL, for a table's picture column."""
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(path, side)).decode()


def gallery(files: Sequence[Path], captions: Sequence[str], *, side: int = SIDE) -> None:
    """Pictures in rows, each with its caption."""
    with st.container(horizontal=True, gap="small"):
        for path, text in zip(files, captions, strict=True):
            st.image(
                thumbnail(path, side),
                caption=plain(short(text, 27)),
                width=side,
                alt=short(text, 80) or t("picture"),
            )
