"""Small pictures for the pages: made once, kept in memory by the file and its time of change."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from tlcore.ui.text import plain, short
from tlcore.words import t

SIDE = 144


def thumbnail(path: Path, side: int = SIDE) -> bytes:
    """A JPEG of at most ``side`` pixels a side; a grey square where the file cannot be shown."""
    try:
        stamp = path.stat().st_mtime
    except OSError:
        stamp = 0.0
    return _thumbnail(str(path), stamp, side)


@st.cache_data(max_entries=3000, show_spinner=False)
def _thumbnail(path: str, stamp: float, side: int) -> bytes:
    from PIL import Image, ImageOps

    try:
        from pillow_heif import register_heif_opener

        register_heif_opener()
        with Image.open(path) as opened:
            opened.draft("RGB", (2 * side, 2 * side))
            picture = ImageOps.exif_transpose(opened)
            picture = _visible(picture)
            picture.thumbnail((side, side))
            if max(picture.size) < side:  # tiny pictures are enlarged as they are, pixel by pixel
                scale = max(1, side // max(picture.size))
                picture = picture.resize(
                    (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
                )
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        picture = Image.new("RGB", (side, side), (128, 128, 128))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def _visible(picture):  # type: ignore[no-untyped-def]
    """Any mode as RGB: 16-bit grey scaled to 8, transparency on white."""
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
                caption=plain(short(text, 22)),
                width=side,
                alt=short(text, 80) or t("picture"),
            )
