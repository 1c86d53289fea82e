"""The bricks of hostile uploads: real pictures, zips with chosen names and flags, headers that lie."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, kind: str = "PNG", size: tuple[int, int] = (24, 24), mode: str = "RGB", **save) -> bytes:
    """A noisy picture that is like no other."""
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(out, kind, **save)
    return out.getvalue()


def classes(n: int = 5, names: Iterable[str] = ("rose", "tulip")) -> dict[str, bytes]:
    """A sound upload: ``n`` pictures in each class folder."""
    return {f"{name}/{i}.png": picture(hash((k, i)) % 2**31) for k, name in enumerate(names) for i in range(n)}


def zipped(path: Path, files: dict[str, bytes], *, kind: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, kind)
    return path


def with_entry(path: Path, name: str, data: bytes, *, mode: int = 0o100644) -> Path:
    """A sound zip and one more entry with any name and Unix mode."""
    zipped(path, classes())
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        info.create_system, info.external_attr = 3, mode << 16
        archive.writestr(info, data)
    return path


def folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def encrypted(path: Path) -> Path:
    """A zip whose entries are flagged as protected by a password."""
    data = bytearray(zipped(path, classes()).read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    return path


def overlapping(path: Path, n: int = 40) -> Path:
    """Many entries in the directory that all mean the same packed bytes (the way of Fifield's bomb)."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = b"\0" * 200_000
    body = packed.compress(raw) + packed.flush()
    crc, name = zlib.crc32(raw), b"rose/a.png"
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 0, crc, len(body), len(raw), len(name), 0) + name
    directory = b""
    for i in range(n):
        entry = f"rose/{i:05}.png".encode()
        directory += (
            struct.pack(
                "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, crc, len(body), len(raw), len(entry), 0, 0, 0, 0, 0, 0
            )
            + entry
        )
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, n, n, len(directory), len(local) + len(body), 0)
    path.write_bytes(local + body + directory + end)
    return path


def lying_size(path: Path) -> Path:
    """A sound zip in which one entry unpacks to more than it declares."""
    zipped(path, classes() | {"rose/liar.png": b"\x89PNG" + b"\0" * 400_000})
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    struct.pack_into("<L", data, at + 24, 100)
    path.write_bytes(data)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims any size and holds next to no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    head = struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def gif_with_huge_frame() -> bytes:
    """A small GIF whose frame claims 65,000 × 65,000 pixels."""
    data = bytearray(picture(1, "GIF", mode="P"))
    at = data.find(b"\x2c")
    struct.pack_into("<HH", data, at + 5, 65_000, 65_000)
    return bytes(data)


def table(rows: Iterable[Iterable[str]], *, separator: str = ",", encoding: str = "utf-8") -> bytes:
    return "\n".join(separator.join(row) for row in rows).encode(encoding)


def listed(n: int = 4, label: str = "{}") -> tuple[dict[str, bytes], list[list[str]]]:
    """Pictures of two classes in one folder, and the rows of a table that lists them."""
    files = {f"pics/{name}{i}.png": picture(100 * k + i) for k, name in enumerate("ab") for i in range(n)}
    return files, [["image", "label"], *([name.split("/")[1], label.format(name[5])] for name in files)]
