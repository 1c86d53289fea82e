"""The files of an upload by their names, wherever they lie: in a folder, in a zip, or in zips inside a
folder.

A zip is read in place and never unpacked, so no name of its choosing ever reaches the disk. What lies in a folder is
opened by descriptor from that folder, and no link is followed, so that what is read is what was listed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import RejectedRow
from tlcore.core.i18n import sentence
from tlcore.core.paths import is_there, text_name, usable_path
from tlcore.core.uploads.archives import LIMITS, Archive, clean, junk
from tlcore.core.uploads.folders import Folder, Found

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
    """One file: its size in bytes, and how to read it: opened where it is a file of its own, else at once."""

    size: int
    _read: Callable[[], bytes] | None = None
    open: Callable[[], BinaryIO] | None = None  # a new stream each time; raises UnusableInput

    @classmethod
    def of_file(cls, path: Path) -> Entry:
        """A file that the person named, links to it included. Raises UnusableInput where it cannot be read."""
        try:
            path = path.resolve(strict=True)
            return cls(
                path.stat().st_size, open=partial(_open, Folder(path.parent), (path.name,), text_name(path.name))
            )
        except (OSError, RuntimeError):
            raise _unreadable(text_name(path.name)) from None

    def read(self, limit: int = MAX_FILE) -> bytes:
        """Its bytes. Raises UnusableInput where it is larger than ``limit`` bytes, damaged or gone."""
        if self.size > limit:
            raise _too_large(limit)
        if self.open is None:
            assert self._read is not None
            return self._read()
        with self.open() as file:
            data = file.read(limit + 1)
        if len(data) > limit:  # it has grown since
            raise _too_large(limit)
        return data


@dataclass
class Tree:
    """An upload: entries by relative posix name in Unicode NFC, and what was set aside while listing them."""

    origin: str
    entries: dict[str, Entry] = field(default_factory=dict)
    set_aside: list[RejectedRow] = field(default_factory=list)
    table: str | None = None  # the table that the person named
    hub: str | None = None  # owner/name[/config][@revision] of a dataset on the hub, which has no entries
    _open: list[Archive | Folder] = field(default_factory=list)

    def __enter__(self) -> Tree:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._open:
            opened.close()

    @property
    def tables(self) -> list[str]:
        return [self.table] if self.table else [n for n in self.entries if suffix(n) in TABLES]

    def add_zip(self, name: str, file: BinaryIO, prefix: str = "") -> None:
        """The files of a zip, which this tree closes."""
        archive = Archive(Path(name), opened=file)
        self._open.append(archive)
        self.set_aside += archive.set_aside
        for inner in archive.names:
            self.entries[prefix + inner] = Entry(archive.size(inner), partial(archive.read, inner))

    def add_folder(self, root: Path) -> None:
        """Regular files below ``root``, a path without links; links and devices are set aside, hidden files ignored.

        Raises UnusableInput where it is no folder that can be read.
        """
        folder = self._folder(root)
        try:
            for found in folder.walk(junk):
                self._add_file(folder, found, clean(text_name("/".join(found.parts))))
                if len(self.entries) > LIMITS.entries:
                    raise UnusableInput(
                        sentence(
                            "The folder {file} holds more than {limit} files.",
                            file=self.origin,
                            limit=LIMITS.entries,
                        ),
                        code="too-many-files",
                        file=self.origin,
                    )
        except OSError:
            raise UnusableInput(
                sentence("The folder {file} cannot be read.", file=self.origin),
                code="unreadable",
                file=self.origin,
            ) from None

    def add_file(self, path: Path, name: str) -> None:
        """One file, at a path without links. Raises UnusableInput."""
        folder = self._folder(path.parent)
        found = Found((path.name,), "file", _size(folder, path.name, name))
        self._add_file(folder, found, name)

    def _folder(self, path: Path) -> Folder:
        try:
            folder = Folder(path)
        except OSError:
            raise UnusableInput(
                sentence(
                    "{path} cannot be opened: it is gone, it may not be read, or a link was put on the way to it.",
                    path=text_name(str(path)),
                ),
                code="unreadable",
                file=text_name(path.name),
            ) from None
        self._open.append(folder)
        return folder

    def _add_file(self, folder: Folder, found: Found, name: str) -> None:
        if found.kind == "link":
            reason = sentence("It is a link; links in a folder are not followed. Put there what it leads to.")
        elif found.kind == "unreadable":
            reason = sentence("It cannot be read.")
        elif found.kind != "file":
            reason = sentence("It is not a regular file.")
        elif name in self.entries:
            reason = sentence("Another file has the same name.")
        else:
            self.entries[name] = Entry(found.size, open=partial(_open, folder, found.parts, name))
            return
        self.set_aside.append(RejectedRow(file=name, reason=reason))


def open_tree(
    source: Path | str, *, alone: Collection[str] = (), known_as: str | None = None, resolved: bool = False
) -> Tree:
    """List an upload: a zip, a folder, a table beside its pictures, a folder that holds a zip (and a table),
    or hf://.

    ``alone``: endings of files that hold everything themselves; what lies beside such a file is not looked at.
    ``known_as``: what the person calls the upload, where it is a folder of the studio's own naming.
    ``resolved``: the path was resolved and allowed before, so that a link anywhere on it is one put there since, and
    is not followed.

    Raises UnusableInput where there is nothing there or it is of no kind we read.
    """
    if isinstance(source, str) and source.startswith("hf://"):
        return Tree(origin=source, hub=source.removeprefix("hf://").strip("/"))
    source = existing(source, expand=not resolved, known_as=known_as)
    tree = Tree(origin=known_as or text_name(source.name) if source.is_dir() else text_name(source.name))
    try:
        ending = source.suffix.lower()
        where = source if resolved else source.resolve()
        if ending in alone and not where.is_dir():
            tree.table = clean(tree.origin)
            tree.add_file(where, tree.table)
        elif ending in TABLES and not where.is_dir():
            tree.add_folder(where.parent)
            tree.table = clean(text_name(where.name))
            _open_zips(tree)
        elif where.is_dir():
            tree.add_folder(where)
            _open_zips(tree)
        else:
            tree.add_zip(tree.origin, _open(tree._folder(where.parent), (where.name,), tree.origin))
    except BaseException:
        tree.__exit__()
        raise
    if not tree.entries:
        raise _empty(tree)
    return tree


def existing(source: Path | str, *, expand: bool = True, known_as: str | None = None) -> Path:
    """The path that a person named. Raises UnusableInput where nothing is there, or there cannot be."""
    path = usable_path(source, expand=expand)
    if not is_there(path):
        named, file = known_as or text_name(str(source)), known_as or text_name(path.name)
        raise UnusableInput(sentence("There is nothing at {path}.", path=named), code="missing", file=file)
    return path


def suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def is_picture_name(name: str) -> bool:
    """Whether a file may be a picture by its name; one without any ending may be."""
    return suffix(name) in SUFFIXES or "." not in name.rsplit("/", 1)[-1]


def _open_zips(tree: Tree) -> None:
    """A folder of zips and tables without pictures stands for what is in the zips."""
    zips = {name: entry.open for name, entry in tree.entries.items() if suffix(name) == ".zip" and entry.open}
    if not zips or any(suffix(name) in SUFFIXES for name in tree.entries):
        return
    for name, opened in zips.items():
        del tree.entries[name]
        tree.add_zip(name.rsplit("/", 1)[-1], opened(), "" if len(zips) == 1 else f"{os.path.splitext(name)[0]}/")
    if len(zips) == 1 and not tree.tables:
        tree.origin = next(iter(zips)).rsplit("/", 1)[-1]


def _open(folder: Folder, parts: tuple[str, ...], name: str) -> BinaryIO:
    try:
        return folder.open(parts)
    except (OSError, ValueError):
        raise _unreadable(name) from None


def _size(folder: Folder, part: str, name: str) -> int:
    with _open(folder, (part,), name) as file:
        return file.seek(0, os.SEEK_END)


def _empty(tree: Tree) -> UnusableInput:
    message = sentence("{file} holds no files that can be used.", file=tree.origin)
    if tree.set_aside:
        first = tree.set_aside[0]
        message = sentence(
            "{file} holds no files that can be used. Files set aside: {n}. {first}: {reason}",
            file=tree.origin,
            n=len(tree.set_aside),
            first=first.file,
            reason=first.reason,
        )
    return UnusableInput(message, code="empty", file=tree.origin)


def _unreadable(name: str) -> UnusableInput:
    return UnusableInput(sentence("The file cannot be read."), code="unreadable", file=name)


def _too_large(limit: int) -> UnusableInput:
    return UnusableInput(
        sentence("The file is larger than {limit} MB.", limit=limit // 1_000_000), code="file-too-large"
    )
