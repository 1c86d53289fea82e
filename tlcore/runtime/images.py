"""Decodes pictures of any supported format to 8-bit RGB, upright and opaque."""

from __future__ import annotations

import functools
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

MAX_PIXELS = 100_000_000
# Only formats decoded inside Pillow or pillow_heif; EPS, for example, would start Ghostscript.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO", "JPEG2000", "AVIF", "HEIF", "PPM", "TGA", "ICO")


class UnusablePicture(UnusableInput, ValueError):
    """A picture that cannot be used.

    ``code`` is unreadable, truncated, not-a-picture, absurd-size or empty-file.
    """


def open_picture(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture as 8-bit RGB: rotated by its EXIF tag, alpha over white, first frame of an animation.

    The header is checked before anything is decoded. Raises UnusablePicture.
    """
    name = None if isinstance(source, bytes) else Path(source).name
    image = open_header(source, max_pixels)
    try:
        image.load()
        return to_rgb(image)
    except MemoryError:
        raise _unusable(sentence("There was not enough memory to open it."), "out-of-memory", name) from None
    except Exception as error:
        raise broken(error, name) from None


def open_header(source: str | Path | bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture with only its header read, its pixels not yet decoded. Raises UnusablePicture."""
    _prepare()
    name = None if isinstance(source, bytes) else Path(source).name
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise broken(error, name) from None
    if not data:
        raise _unusable(sentence("The file is empty."), "empty-file", name)
    try:
        image = Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError:
        raise _absurd(name, max_pixels) from None
    except MemoryError:
        raise _unusable(sentence("There was not enough memory to open it."), "out-of-memory", name) from None
    except Exception:
        raise _unusable(sentence("This is not a picture: {kind}.", kind=_kind(data)), "not-a-picture", name) from None
    if image.width * image.height > max_pixels:
        raise _absurd(name, max_pixels, image.size)
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB, rotated by its EXIF tag, transparency over white.

    16-bit greys are scaled to 8 bits by the range in use: 8, 12 or 16 bits (medical pictures store 12 bits in 16).
    Uses only numpy, ``Image`` and ``ImageOps``, because it is copied into a bundle's predict.py.
    """
    if getattr(image, "is_animated", False):
        image.seek(0)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.nan_to_num(np.asarray(image).astype(np.float32))
        top = float(values.max(initial=0.0))
        bits = 1.0 if top <= 1.0 and image.mode == "F" else 255.0 if top <= 255 else 4095.0 if top <= 4095 else 65535.0
        return Image.fromarray(np.clip(values * (255.0 / bits) + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def broken(error: Exception, file: str | None) -> UnusablePicture:
    """The user-facing error of a decoder's failure."""
    if isinstance(error, UnusablePicture):
        return error
    text = str(error).lower()
    if "truncated" in text or "unexpected end" in text or isinstance(error, EOFError):
        return _unusable(sentence("The picture is cut off: the file ends too early."), "truncated", file)
    if isinstance(error, Image.DecompressionBombError):
        return _absurd(file, MAX_PIXELS)
    return _unusable(sentence("The picture is damaged and cannot be read."), "unreadable", file)


def _absurd(file: str | None, limit: int, size: tuple[int, int] | None = None) -> UnusablePicture:
    if size is None:
        message = sentence("The picture claims to have more than {limit} million pixels.", limit=limit // 1_000_000)
    else:
        message = sentence(
            "The picture claims to be {width} × {height} pixels; at most {limit} million pixels are read.",
            width=size[0],
            height=size[1],
            limit=limit // 1_000_000,
        )
    return _unusable(message, "absurd-size", file)


def _unusable(message: Sentence, code: str, file: str | None) -> UnusablePicture:
    return UnusablePicture(message, code=code, file=file)


def _kind(data: bytes) -> Sentence:
    """The likely type of a file that no decoder recognizes, by its first bytes."""
    start = data[:512].lstrip().lower()
    if start.startswith(b"%pdf"):
        return sentence("it is a PDF")
    if b"<svg" in start:
        return sentence("it is an SVG drawing; export it as PNG")
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return sentence("it is a web page")
    if start.startswith(b"pk\x03\x04"):
        return sentence("it is a zip archive")
    if start.startswith((b"\x89png", b"\xff\xd8", b"gif8", b"riff", b"bm")):
        return sentence("its header is damaged")
    return sentence("its content is of another kind")


@functools.cache
def _prepare() -> None:
    """Register the HEIC decoder (pictures from phones) if pillow_heif is installed."""
    # Pillow warns of large pictures on opening; the size is checked right after the header is read.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    try:
        import pillow_heif
    except ImportError:
        return
    pillow_heif.register_heif_opener()


@functools.cache
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)
