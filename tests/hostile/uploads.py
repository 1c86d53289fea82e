"""Hostile and broken uploads, and what must become of each: refused by a code, set aside or noted."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from hostile.build import (
    classes,
    encrypted,
    folder,
    gif_with_huge_frame,
    listed,
    lying_size,
    overlapping,
    picture,
    png_header,
    table,
    with_entry,
    zipped,
)


@dataclass(frozen=True)
class Case:
    """``build(folder)`` makes the upload. Then one of: ``refused`` with this code (its file contains ``file``); or
    staged, with ``n`` usable rows, files set aside that contain ``aside``, and findings with the codes ``found``."""

    name: str
    build: Callable[[Path], Path | str]
    refused: str | None = None
    file: str | None = None
    n: int | None = None
    aside: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    usable: bool | None = None
    kwargs: dict = field(default_factory=dict)


def _sound(**extra: bytes) -> dict[str, bytes]:
    return classes() | {name: data for name, data in extra.items()}


def _plus(name: str, data: bytes) -> Callable[[Path], Path]:
    return lambda at: zipped(at / "up.zip", classes() | {name: data})


def _slip(name: str, mode: int = 0o100644) -> Callable[[Path], Path]:
    return lambda at: with_entry(at / "up.zip", name, picture(7), mode=mode)


def _csv(rows, n: int = 4, name: str = "labels.csv", **how) -> Callable[[Path], Path]:
    """A zip of pictures of two classes and a table; ``rows`` changes the good rows."""

    def build(at: Path) -> Path:
        files, good = listed(n)
        changed = rows(good)
        return zipped(at / "up.zip", files | {name: changed if isinstance(changed, bytes) else table(changed, **how)})

    return build


def _write(name: str, data: bytes) -> Callable[[Path], Path]:
    def build(at: Path) -> Path:
        (at / name).write_bytes(data)
        return at / name

    return build


def _tar(at: Path, name: str = "up.zip", mode: str = "w") -> Path:
    with tarfile.open(at / name, mode) as archive:
        info = tarfile.TarInfo("rose/1.png")
        info.size = len(data := picture(1))
        archive.addfile(info, io.BytesIO(data))
    return at / name


def _truncated_zip(at: Path) -> Path:
    path = zipped(at / "up.zip", classes())
    path.write_bytes(path.read_bytes()[:-400])
    return path


def _damaged_entry(at: Path) -> Path:
    path = zipped(at / "up.zip", classes())
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    return path


def _odd_method(at: Path) -> Path:
    return zipped(at / "up.zip", classes(), kind=zipfile.ZIP_LZMA)


def _many_entries(at: Path) -> Path:
    """An end record that claims 2^32 - 2 entries."""
    path = zipped(at / "up.zip", classes())
    data = path.read_bytes()
    end = data.rfind(b"PK\x05\x06")
    wide = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**32 - 2, 2**32 - 2, 2**40, 0)
    path.write_bytes(data[:end] + wide + data[end:])
    return path


def _really_many_entries(at: Path) -> Path:
    with zipfile.ZipFile(at / "up.zip", "w") as archive:
        for i in range(2_100):
            archive.writestr(zipfile.ZipInfo(f"rose/{i}.png"), b"")
    return at / "up.zip"


def _only_folders(at: Path) -> Path:
    with zipfile.ZipFile(at / "up.zip", "w") as archive:
        archive.writestr("rose/", b"")
        archive.writestr("tulip/", b"")
    return at / "up.zip"


def _folder_with_links(at: Path) -> Path:
    root = folder(at / "up", classes())
    os.symlink("/etc/passwd", root / "rose" / "passwd.png")
    os.symlink("/etc", root / "etc")
    os.mkfifo(root / "tulip" / "pipe.png")
    return root


def _bare_names(at: Path) -> Path:
    """File names that are no Unicode at all."""
    root = folder(at / "up", classes())
    with open(os.fsencode(root / "rose") + b"/\xff\xfe.png", "wb") as file:
        file.write(picture(77))
    return root


def _pickle() -> bytes:
    class Evil:
        def __reduce__(self):
            return os.system, ("touch /tmp/tlcore-was-here",)

    return pickle.dumps(Evil())


def _cut_jpeg() -> bytes:
    data = picture(5, "JPEG", (200, 200))
    return data[: len(data) // 2]


def _cut_png() -> bytes:
    data = picture(5, "PNG", (200, 200))
    return data[: len(data) // 2]


def _animated() -> bytes:
    out = io.BytesIO()
    frames = [Image.new("RGB", (32, 32), (10 * i, 200, 40)) for i in range(20)]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def _three_sets() -> dict[str, bytes]:
    return {
        f"{s}/{k}/{i}.png": picture(1000 * a + 10 * b + i)
        for a, s in enumerate(("train", "val", "test"))
        for b, k in enumerate(("rose", "tulip"))
        for i in range(3)
    }


def _same_in_two_splits(at: Path) -> Path:
    files = _three_sets()
    files["train/rose/again.png"] = files["test/rose/0.png"]
    return zipped(at / "up.zip", files)


def _class_missing_in_train(at: Path) -> Path:
    files = {f"train/{k}/{i}.png": picture(100 * b + i) for b, k in enumerate(("rose", "tulip")) for i in range(3)}
    files |= {f"test/{k}/{i}.png": picture(900 + 100 * b + i) for b, k in enumerate(("rose", "lily")) for i in range(3)}
    return zipped(at / "up.zip", files)


def _parquet(at: Path, damage: bool) -> Path:
    out = io.BytesIO()
    pq.write_table(pa.table({"image": ["a0.png", "b0.png"], "label": ["a", "b"]}), out)
    data = out.getvalue()
    return zipped(at / "up.zip", listed()[0] | {"t.parquet": data[:20] + b"\xff" * 60 + data[80:] if damage else data})


def _two_tables_differ(rows: list[list[str]]) -> list[list[str]]:
    return [rows[0], *[[r[0], r[1] + "\x00"] for r in rows[1:]]]


GROUPED = {"group": "(a+)+$"}
FORMULA = '=HYPERLINK("http://evil")'

CASES: tuple[Case, ...] = (
    # --- the archive ---------------------------------------------------------------------------------------------
    Case("zip slip", _slip("../../evil.png"), n=10, aside=("../../evil.png",)),
    Case("zip slip in the middle", _slip("rose/../../evil.png"), n=10, aside=("evil.png",)),
    Case("zip slip by backslashes", _slip("..\\..\\evil.png"), n=10, aside=("evil.png",)),
    Case("absolute path", _slip("/tmp/evil.png"), n=10, aside=("/tmp/evil.png",)),
    Case("drive letter", _slip("C:\\Windows\\evil.png"), n=10, aside=("evil.png",)),
    Case("share path", _slip("\\\\server\\share\\evil.png"), n=10, aside=("evil.png",)),
    Case("symbolic link", _slip("rose/link.png", 0o120777), n=10, aside=("rose/link.png",)),
    Case("device", _slip("rose/device.png", 0o020666), n=10, aside=("rose/device.png",)),
    Case("named pipe", _slip("rose/pipe.png", 0o010666), n=10, aside=("rose/pipe.png",)),
    Case("NUL in a name", _slip("rose/a\x00.png"), n=10, aside=("rose/a",)),
    Case("the same name twice", _slip("rose/1.png"), n=10, aside=("rose/1.png",)),
    Case(
        "bomb by ratio",
        lambda at: zipped(at / "up.zip", classes() | {"rose/big.png": b"\0" * 60_000_000}),
        refused="archive-bomb",
        file="up.zip",
    ),
    Case("bomb by overlap", lambda at: overlapping(at / "up.zip"), refused="archive-bomb", file="up.zip"),
    Case("claims four billion entries", _many_entries, refused="archive-too-many", file="up.zip"),
    Case("two thousand empty files", _really_many_entries, usable=False, n=0, found=("nothing-usable",)),
    Case("entry larger than it says", lambda at: lying_size(at / "up.zip"), n=10, aside=("liar.png",)),
    Case("encrypted", lambda at: encrypted(at / "up.zip"), refused="archive-encrypted", file="up.zip"),
    Case("unusual method", _odd_method, refused="archive-method", file="up.zip"),
    Case("cut off", _truncated_zip, refused="archive-damaged", file="up.zip"),
    Case("damaged entry", _damaged_entry, n=9, aside=("rose/0.png",)),
    Case("not a zip", _write("up.zip", b"just some text\n" * 50), refused="archive-not-zip", file="up.zip"),
    Case("tar called zip", _tar, refused="archive-not-zip", file="up.zip"),
    Case("tar.gz", lambda at: _tar(at, "up.tar.gz", "w:gz"), refused="archive-not-zip", file="up.tar.gz"),
    Case("no bytes", _write("up.zip", b""), refused="archive-empty", file="up.zip"),
    Case("empty zip", lambda at: zipped(at / "up.zip", {}), refused="empty", file="up.zip"),
    Case("only folders", _only_folders, refused="empty", file="up.zip"),
    Case(
        "only what systems leave behind",
        lambda at: zipped(at / "up.zip", {"__MACOSX/rose/._1.png": b"x", ".DS_Store": b"x", "rose/Thumbs.db": b"x"}),
        refused="empty",
        file="up.zip",
    ),
    Case(
        "zip in a zip",
        lambda at: zipped(at / "up.zip", classes() | {"more.zip": b"PK\x05\x06" + bytes(18)}),
        n=10,
        aside=("more.zip",),
    ),
    Case("pickle in a zip", _plus("rose/model.pkl", _pickle()), n=10, aside=("rose/model.pkl",)),
    Case("pickle called png", _plus("rose/model.png", _pickle()), n=10, aside=("rose/model.png",)),
    Case("no such path", lambda at: at / "nowhere.zip", refused="missing", file="nowhere.zip"),
    Case("link and pipe in a folder", _folder_with_links, n=10, aside=("passwd.png", "pipe.png", "etc")),
    # --- names ---------------------------------------------------------------------------------------------------
    Case(
        "emoji and right-to-left names", lambda at: zipped(at / "up.zip", classes(names=("🌹 rosé", "ورد\u202e"))), n=10
    ),
    Case(
        "250-character names",
        lambda at: zipped(at / "up.zip", classes() | {f"rose/{'é' * 246}.png": picture(70)}),
        n=11,
    ),
    Case("2,000-character name", _plus(f"rose/{'a' * 2000}.png", picture(70)), n=10, aside=("aaaa",)),
    Case(
        "300-character label",
        lambda at: zipped(at / "up.zip", classes() | {f"{'b' * 300}/1.png": picture(70)}),
        n=10,
        aside=("bbbb",),
    ),
    Case("line break in a name", _plus("rose/a\nb.png", picture(70)), n=11),
    Case("line break in a label", lambda at: zipped(at / "up.zip", classes(names=("ro\nse", "tulip"))), n=10),
    Case("names that are no Unicode", _bare_names, n=11),
    Case(
        "upper-case endings",
        lambda at: zipped(at / "up.zip", {n.replace(".png", ".PNG"): d for n, d in classes().items()}),
        n=10,
    ),
    Case(
        "labels that differ by case",
        lambda at: zipped(at / "up.zip", classes(names=("Rose", "rose", "tulip"))),
        n=15,
        found=("look-alike-labels",),
    ),
    # --- classes and splits --------------------------------------------------------------------------------------
    Case(
        "no classes",
        lambda at: zipped(at / "up.zip", {f"{i}.png": picture(i) for i in range(4)}),
        refused="no-classes",
        file="up.zip",
    ),
    Case("one class", lambda at: zipped(at / "up.zip", classes(names=("rose",))), usable=False, found=("one-class",)),
    Case(
        "10,000 classes",
        _csv(lambda rows: [rows[0], *[["a0.png", f"class {i}"] for i in range(10_000)]]),
        usable=False,
        n=0,
        found=("nothing-usable", "conflict"),
    ),
    Case(
        "1,200 classes of one picture",
        lambda at: zipped(at / "up.zip", {f"c{i}/1.png": picture(i, size=(9, 9)) for i in range(1_200)}),
        usable=False,
        n=1200,
        found=("many-classes", "class-too-few"),
    ),
    Case(
        "class with two pictures",
        lambda at: zipped(at / "up.zip", classes() | {"lily/1.png": picture(71), "lily/2.png": picture(72)}),
        usable=False,
        found=("class-too-few",),
    ),
    Case("class missing in train", _class_missing_in_train, usable=False, found=("class-not-in-train",)),
    Case(
        "splits without classes",
        lambda at: zipped(at / "up.zip", {f"{s}/{i}.png": picture(i) for s in ("train", "test") for i in range(3)}),
        refused="no-classes",
        file="up.zip",
    ),
    Case(
        "test and validation without train",
        lambda at: zipped(at / "up.zip", {k: v for k, v in _three_sets().items() if not k.startswith("train")}),
        refused="no-classes",
        file="up.zip",
    ),
    Case("same picture in two splits", _same_in_two_splits, n=18, aside=("train/rose/again.png",), found=("leakage",)),
    Case(
        "same picture under two labels",
        lambda at: zipped(at / "up.zip", classes() | {"tulip/x.png": picture(hash((0, 0)) % 2**31)}),
        n=9,
        aside=("rose/0.png", "tulip/x.png"),
        found=("conflict",),
    ),
    Case(
        "one picture many times",
        lambda at: zipped(
            at / "up.zip", classes() | {f"rose/copy{i}.png": picture(hash((0, 0)) % 2**31) for i in range(9)}
        ),
        n=10,
        found=("duplicate",),
    ),
    # --- pictures ------------------------------------------------------------------------------------------------
    Case("cut JPEG", _plus("rose/cut.jpg", _cut_jpeg()), n=10, aside=("rose/cut.jpg",)),
    Case("cut PNG", _plus("rose/cut.png", _cut_png()), n=10, aside=("rose/cut.png",)),
    Case("zero bytes", _plus("rose/zero.jpg", b""), n=10, aside=("rose/zero.jpg",)),
    Case("60,000 × 60,000 PNG", _plus("rose/huge.png", png_header(60_000, 60_000)), n=10, aside=("rose/huge.png",)),
    Case("11,000 × 11,000 PNG", _plus("rose/large.png", png_header(11_000, 11_000)), n=10, aside=("rose/large.png",)),
    Case("GIF with a huge frame", _plus("rose/huge.gif", gif_with_huge_frame()), n=10, aside=("rose/huge.gif",)),
    Case("GIF of many frames", _plus("rose/anim.gif", _animated()), n=11),
    Case("SVG called jpg", _plus("rose/a.jpg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), n=10, aside=("a.jpg",)),
    Case(
        "web page called jpg", _plus("rose/a.jpg", b"<!DOCTYPE html><script>alert(1)</script>"), n=10, aside=("a.jpg",)
    ),
    Case("PDF called png", _plus("rose/a.png", b"%PDF-1.7\n%%EOF"), n=10, aside=("a.png",)),
    Case(
        "EPS called jpg",
        _plus("rose/a.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        n=10,
        aside=("a.jpg",),
    ),
    Case("noise called jpg", _plus("rose/a.jpg", bytes(range(256)) * 40), n=10, aside=("a.jpg",)),
    Case("3 × 3 pixels", _plus("rose/tiny.png", picture(3, size=(3, 3))), n=10, aside=("tiny.png",)),
    Case(
        "nothing but broken pictures",
        lambda at: zipped(at / "up.zip", {f"{k}/{i}.jpg": b"no" for k in "ab" for i in range(3)}),
        usable=False,
        n=0,
        found=("nothing-usable",),
    ),
    # --- tables --------------------------------------------------------------------------------------------------
    Case(
        "no label column",
        _csv(lambda rows: [["image", "price"], *rows[1:]]),
        kwargs={"columns": {"image": "image"}},
        refused="columns",
        file="labels.csv",
    ),
    Case(
        "mapped column is not there",
        _csv(lambda rows: rows),
        kwargs={"columns": {"label": "kind"}},
        refused="columns",
        file="labels.csv",
    ),
    Case("unknown role", _csv(lambda rows: rows), kwargs={"columns": {"colour": "label"}}, refused="columns"),
    Case("missing file", _csv(lambda rows: [*rows, ["nowhere.png", "a"]]), n=8, aside=("nowhere.png",)),
    Case("traversal in the table", _csv(lambda rows: [*rows, ["../../etc/passwd", "a"]]), n=8, aside=("etc/passwd",)),
    Case("absolute path in the table", _csv(lambda rows: [*rows, ["/etc/passwd", "a"]]), n=8, aside=("/etc/passwd",)),
    Case(
        "web address in the table",
        _csv(lambda rows: [*rows, ["http://evil.example/a.png", "a"]]),
        n=8,
        aside=("http://evil.example/a.png",),
    ),
    Case(
        "formulas as labels",
        _csv(lambda rows: [rows[0], *[[r[0], "=1+1" if r[1] == "a" else "@b"] for r in rows[1:]]]),
        n=8,
    ),
    Case("formula as file", _csv(lambda rows: [*rows, ["=cmd|' /C calc'!A0", "a"]]), n=8, aside=("=cmd",)),
    Case("NUL bytes", _csv(_two_tables_differ), n=8),
    Case(
        "Latin-1",
        _csv(
            lambda rows: [rows[0], *[[r[0], "maçã" if r[1] == "a" else "pêra"] for r in rows[1:]]], encoding="latin-1"
        ),
        n=8,
    ),
    Case("byte order mark and semicolons", _csv(lambda rows: rows, separator=";", encoding="utf-8-sig"), n=8),
    Case("UTF-16", _csv(lambda rows: rows, encoding="utf-16"), n=8),
    Case(
        "ragged rows", _csv(lambda rows: [*rows, ["a0.png"], ["a1.png", "a", "more"]]), n=8, aside=("a0.png", "a1.png")
    ),
    Case("quote that never closes", _csv(lambda rows: [*rows, ['"a0.png', "a"]]), n=8, aside=("a0.png",)),
    Case(
        "unknown split",
        _csv(lambda rows: [[*rows[0], "split"], *[[*r, "train" if i % 4 else "oops"] for i, r in enumerate(rows[1:])]]),
        n=6,
        aside=("a0.png", "b0.png"),
    ),
    Case("empty table", _write("labels.csv", b""), refused="table", file="labels.csv"),
    Case("table of one column", _write("labels.csv", b"image\na.png\n"), refused="table", file="labels.csv"),
    Case("picture called csv", _write("labels.csv", picture(1)), refused="table", file="labels.csv"),
    Case(
        "the same column twice", _write("labels.csv", b"image,image,label\na,b,c\n"), refused="table", file="labels.csv"
    ),
    Case(
        "table without its pictures",
        _write("labels.csv", b"image,label\na.png,rose\nb.png,tulip\n"),
        usable=False,
        n=0,
        aside=("a.png", "b.png"),
        found=("nothing-usable",),
    ),
    Case(
        "corrupt Parquet",
        lambda at: _write("t.parquet", b"PAR1" + b"\xff" * 200 + b"PAR1")(at),
        refused="table",
        file="t.parquet",
    ),
    Case(
        "Parquet with damaged pages",
        lambda at: _parquet(at, True),
        refused="table",
        file="t.parquet",
        kwargs={"columns": {"image": "image", "label": "label"}},
    ),
    # --- groups --------------------------------------------------------------------------------------------------
    Case(
        "group is no pattern", lambda at: zipped(at / "up.zip", classes()), kwargs={"group": "(rose"}, refused="group"
    ),
    Case(
        "group pattern that takes years",
        lambda at: zipped(at / "up.zip", classes() | {f"rose/{'a' * 60}!.png": picture(70)}),
        kwargs={"group": "(a|a|aa)+$"},
        refused="group",
    ),
    Case(
        "endless group pattern",
        lambda at: zipped(at / "up.zip", classes()),
        kwargs={"group": "a" * 300},
        refused="group",
    ),
    Case(
        "group that matches nothing",
        lambda at: zipped(at / "up.zip", classes()),
        kwargs={"group": "patient"},
        usable=False,
        found=("group",),
    ),
    Case(
        "a single group",
        lambda at: zipped(at / "up.zip", classes()),
        kwargs={"group": "png"},
        usable=False,
        found=("groups-too-few",),
    ),
    # --- the hub -------------------------------------------------------------------------------------------------
    Case("hub name that is none", lambda at: "hf://../../etc/passwd", refused="hub-name"),
)
