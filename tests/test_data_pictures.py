"""Pictures of every kind end as upright, opaque, 8-bit RGB."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys

import numpy as np
import pytest
from hostile.build import picture, png_header
from PIL import Image

from tlcore.runtime.images import UnusablePicture, open_picture, to_rgb


def encoded(image: Image.Image, kind: str, **save) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


def halves(mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", (32, 16), (255, 0, 0))
    image.paste((0, 0, 255), (16, 0, 32, 16))
    return image.convert(mode)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM", "TGA"])
def test_formats(kind):
    found = open_picture(encoded(halves(), kind))
    assert (found.mode, found.size) == ("RGB", (32, 16))
    assert np.abs(np.asarray(found)[8, 4].astype(int) - (255, 0, 0)).max() < 40


def test_heic_of_a_phone():
    heif = pytest.importorskip("pillow_heif", reason="HEIC needs pillow_heif")
    heif.register_heif_opener()
    found = open_picture(encoded(halves().resize((64, 64)), "HEIF", quality=95))
    assert (found.mode, found.size) == ("RGB", (64, 64))
    assert np.abs(np.asarray(found)[32, 8].astype(int) - (255, 0, 0)).max() < 60


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "RGBA", "LA", "I;16", "I", "F"])
def test_modes(mode):
    image = halves("L").convert("I").point(lambda v: v * 257).convert("I;16") if mode == "I;16" else halves(mode)
    assert to_rgb(image).mode == "RGB"


def test_transparency_lies_over_white():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert np.asarray(to_rgb(clear)).min() == 255
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 128))
    assert np.asarray(to_rgb(half))[0, 0] == pytest.approx([127] * 3, abs=2)
    palette = Image.new("P", (8, 8), 0)
    palette.info["transparency"] = 0
    assert np.asarray(to_rgb(palette)).min() == 255


def test_cmyk_jpeg_keeps_its_colours():
    found = np.asarray(open_picture(encoded(halves("CMYK"), "JPEG", quality=95)))[8, 4].astype(int)
    assert found[0] > 200
    assert found[2] < 60


@pytest.mark.parametrize(("top", "expected"), [(65_535, 255), (4_095, 255), (255, 255)])
def test_sixteen_bits_use_their_range(top, expected):
    values = np.linspace(0, top, 64).reshape(8, 8).astype(np.uint16)
    found = np.asarray(open_picture(encoded(Image.fromarray(values), "PNG")))
    assert (found.min(), found.max()) == (0, expected)
    assert (np.diff(found[..., 0].ravel().astype(int)) >= 0).all()


def test_float_pictures_from_zero_to_one():
    assert np.asarray(to_rgb(Image.fromarray(np.full((8, 8), 0.5, np.float32)))).max() == 128


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = halves()
    upright = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation]
    found = open_picture(encoded(stored, "PNG", exif=exif))
    expected = stored if upright is None else stored.transpose(Image.Transpose(upright))
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (16, 16), c) for c in ((255, 0, 0), (0, 255, 0))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert np.asarray(open_picture(data))[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty-file"),
        (b"hello", "not-a-picture"),
        (b"<html></html>", "not-a-picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not-a-picture"),
        (png_header(60_000, 60_000), "absurd-size"),
        (png_header(10_001, 10_000), "absurd-size"),
        (picture(1, "JPEG", (200, 200))[:3000], "truncated"),
        (picture(1, "PNG", (200, 200))[:3000], "truncated"),
        (picture(1, "WEBP", (200, 200))[:3000], None),
        (picture(1, "TIFF", (200, 200))[:3000], None),
    ],
)
def test_refused(data, code, tmp_path):
    path = tmp_path / "up.bin"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(UnusablePicture) as refusal:
            open_picture(source)
        assert code in (None, refusal.value.code)
        assert str(refusal.value.sentence)
    assert refusal.value.file == "up.bin"
    assert isinstance(refusal.value, ValueError)


def test_missing_file(tmp_path):
    with pytest.raises(UnusablePicture):
        open_picture(tmp_path / "nowhere.png")


def test_to_rgb_stands_alone(tmp_path):
    """A bundle's predict.py holds its source: it must run with numpy and Pillow only."""
    (tmp_path / "in.png").write_bytes(encoded(halves("RGBA"), "PNG"))
    program = tmp_path / "alone.py"
    program.write_text(
        "import sys\nimport numpy as np\nfrom PIL import Image, ImageOps\n\n"
        + inspect.getsource(to_rgb)
        + "\nprint(to_rgb(Image.open(sys.argv[1])).mode, 'tlcore' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", program, tmp_path / "in.png"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["RGB", "False"]
