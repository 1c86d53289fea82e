"""The files of an upload by their names, wherever they lie: in a folder, in a zip, or in zips inside a
folder.

A zip is read in place and never unpacked, so no name of its choosing ever reaches the disk.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.uploads.archives import LIMITS, Archive, clean, junk

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".gif",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".mpo",
        ".jp2",
        ".j2k",
        ".avif",
        ".heic",
        ".heif",
        ".hif",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".tga",
        ".ico",
    )
)

TABLES = frozenset({".csv", ".tsv", ".parquet", ".jsonl", ".ndjson", ".json", ".xlsx", ".xlsm"})
MAX_FILE = 100_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its size in bytes, and how to read it."""

    size: int
    _read: Callable[[], bytes]
    path: Path | None = None  # where it is a file of its own

    def read(self, limit: int = MAX_FILE) -> bytes:
        """Its bytes. Raises UnusableInput where it is larger than ``limit`` bytes or damaged."""
        if self.size > limit:
            raise UnusableInput(
                sentence("The file is larger than {limit} MB.", limit=limit // 1_000_000), code="file-too-large"
            )
        return self._read()


@dataclass
class Tree:
    """An upload: entries by relative posix name in Unicode NFC, and what was set aside while listing them."""

    origin: str
    entries: dict[str, Entry] = field(default_factory=dict)
    set_aside: list[RejectedRow] = field(default_factory=list)
    table: str | None = None  # the table that the person named
    hub: str | None = None  # owner/name[/config][@revision] of a dataset on the hub, which has no entries
    _open: list[Archive] = field(default_factory=list)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        for archive in self._open:
            archive.close()

    @property
    def tables(self) -> list[str]:
        return [self.table] if self.table else [n for n in self.entries if suffix(n) in TABLES]

    def add_zip(self, path: Path, prefix: str = "") -> None:
        archive = Archive(path)
        self._open.append(archive)
        self.set_aside += archive.set_aside
        for name in archive.names:
            self.entries[prefix + name] = Entry(archive.size(name), partial(archive.read, name))

    def add_folder(self, root: Path) -> None:
        """Regular files below ``root``; links that leave it, and devices, are set aside; hidden ones
        ignored.
        """
        for folder, folders, files in os.walk(root, followlinks=False):
            folders[:] = sorted(f for f in folders if not junk(f))
            for file in sorted(files):
                path = Path(folder) / file
                name = clean(_text(path.relative_to(root).as_posix()))
                if junk(name):
                    continue
                self._add_file(root, path, name)
                if len(self.entries) > LIMITS.entries:
                    raise UnusableInput(
                        sentence(
                            "The folder {file} holds more than {limit} files.",
                            file=root.name,
                            limit=LIMITS.entries,
                        ),
                        code="too-many-files",
                        file=root.name,
                    )

    def _add_file(self, root: Path, path: Path, name: str) -> None:
        try:
            if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                self.set_aside.append(
                    RejectedRow(file=name, reason=sentence("It is a link that leads out of the folder."))
                )
                return
            about = path.stat()
        except OSError:
            self.set_aside.append(RejectedRow(file=name, reason=sentence("The file cannot be read.")))
            return
        if not stat.S_ISREG(about.st_mode):
            self.set_aside.append(RejectedRow(file=name, reason=sentence("It is not a regular file.")))
        elif name in self.entries:
            self.set_aside.append(RejectedRow(file=name, reason=sentence("Another file has the same name.")))
        else:
            self.entries[name] = Entry(about.st_size, partial(_read_file, path, name), path)


def open_tree(source: Path | str, *, alone: Collection[str] = ()) -> Tree:
    """List an upload: a zip, a folder, a table beside its pictures, a folder that holds a zip (and a table),
    or hf://.

    ``alone``: endings of files that hold everything themselves; what lies beside such a file is not looked at.

    Raises UnusableInput where there is nothing there or it is of no kind we read.
    """
    if isinstance(source, str) and source.startswith("hf://"):
        return Tree(origin=source, hub=source.removeprefix("hf://").strip("/"))
    source = Path(source).expanduser()
    if not source.exists():
        raise UnusableInput(sentence("There is nothing at {path}.", path=str(source)), code="missing", file=source.name)
    tree = Tree(origin=source.name)
    try:
        if source.is_dir():
            tree.add_folder(source)
            _open_zips(tree)
        elif source.suffix.lower() in alone:
            tree.table = clean(_text(source.name))
            tree._add_file(source.parent, source, tree.table)
        elif source.suffix.lower() in TABLES:
            tree.add_folder(source.parent)
            tree.table = clean(_text(source.name))
            _open_zips(tree)
        else:
            tree.add_zip(source)
    except BaseException:
        tree.__exit__()
        raise
    if not tree.entries:
        raise UnusableInput(
            sentence("{file} holds no files that can be used.", file=tree.origin), code="empty", file=tree.origin
        )
    return tree


def suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def is_picture_name(name: str) -> bool:
    """Whether a file may be a picture by its name; one without any ending may be."""
    return suffix(name) in SUFFIXES or "." not in name.rsplit("/", 1)[-1]


def _open_zips(tree: Tree) -> None:
    """A folder of zips and tables without pictures stands for what is in the zips."""
    zips = {name: entry.path for name, entry in tree.entries.items() if suffix(name) == ".zip" and entry.path}
    if not zips or any(suffix(name) in SUFFIXES for name in tree.entries):
        return
    for name, path in zips.items():
        del tree.entries[name]
        tree.add_zip(path, "" if len(zips) == 1 else f"{os.path.splitext(name)[0]}/")
    if len(zips) == 1 and not tree.tables:
        tree.origin = next(iter(zips.values())).name


def _read_file(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise UnusableInput(sentence("The file cannot be read."), code="unreadable", file=name) from None


def _text(name: str) -> str:
    """A file name that may not be Unicode, as text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
