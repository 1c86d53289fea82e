"""The files below a folder, by descriptor: no link is followed, also not one put there after the files were listed."""

from __future__ import annotations

import os
import stat
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

# A folder that may only be passed through, not listed, can be opened as a path where the system knows that.
_PASS = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY))
_DIRECTORY = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
# Without O_NONBLOCK, opening a pipe would wait for somebody to write to it.
_FILE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
BY_DESCRIPTOR = (
    hasattr(os, "O_NOFOLLOW")
    and hasattr(os, "O_DIRECTORY")
    and os.open in os.supports_dir_fd
    and os.scandir in os.supports_fd
)


@dataclass(frozen=True, slots=True)
class Found:
    """One name in a folder: its parts below the root, and what is there now."""

    parts: tuple[str, ...]
    kind: str  # "file" | "folder" | "link" | "other" | "unreadable"
    size: int = 0  # bytes, of a file


class Folder:
    """A folder that stays open. Raises OSError where there is none, or a link is on the way to it.

    ``path`` is absolute, its links resolved by the caller. Where the system has no descriptors of folders, every part
    of a path is looked at before and after it is opened instead.
    """

    def __init__(self, path: Path):
        self.path = path
        self._root: int | None = None
        if BY_DESCRIPTOR:
            self._root = _through(os.open(path.anchor, _PASS | _DIRECTORY), path.parts[1:])
            self._closed = weakref.finalize(self, os.close, self._root)
        elif not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(str(path))

    def close(self) -> None:
        if self._root is not None:
            self._root = -1  # the number may be another file's from now on
            self._closed()

    def open(self, parts: tuple[str, ...]) -> BinaryIO:
        """A regular file below the folder, to read. Raises OSError where it is none, or a link is on the way."""
        if not BY_DESCRIPTOR:
            return _open_by_path(self.path, parts)
        folder = self._within(parts[:-1])
        try:
            number = os.open(parts[-1], _FILE, dir_fd=folder)
        finally:
            os.close(folder)
        return _regular(number)

    def scan(self, parts: tuple[str, ...]) -> list[Found]:
        """What is in a folder below this one, sorted by name. Raises OSError."""
        if not BY_DESCRIPTOR:
            with os.scandir(self.path.joinpath(*parts)) as entries:
                return sorted((_found(parts, entry) for entry in entries), key=lambda found: found.parts)
        here = self._within(parts)
        try:
            listed = os.open(".", os.O_RDONLY | _DIRECTORY, dir_fd=here)
        finally:
            os.close(here)
        try:
            with os.scandir(listed) as entries:
                return sorted((_found(parts, entry) for entry in entries), key=lambda found: found.parts)
        finally:
            os.close(listed)

    def walk(self, ignored: Callable[[str], bool]) -> Iterator[Found]:
        """Everything below the folder but its folders: those of one folder by name, then those of the folders in it.

        Names that are ``ignored`` are left out, and with a folder all that is in it. A folder that cannot be listed is
        of kind ``unreadable``. Raises OSError for this folder itself.
        """
        waiting: list[tuple[str, ...]] = [()]
        while waiting:
            here = waiting.pop()
            try:
                listed = [one for one in self.scan(here) if not ignored(one.parts[-1])]
            except OSError:
                if not here:
                    raise
                yield Found(here, "unreadable")
                continue
            yield from (one for one in listed if one.kind != "folder")
            waiting += [one.parts for one in reversed(listed) if one.kind == "folder"]

    def _within(self, parts: tuple[str, ...]) -> int:
        """A descriptor of a folder below this one."""
        assert self._root is not None
        return _through(os.dup(self._root), parts)


def _through(number: int, parts: tuple[str, ...]) -> int:
    """The descriptor of a folder, from that of the folder where the way begins, which is closed."""
    for part in parts:
        try:
            inner = os.open(part, _PASS | _DIRECTORY, dir_fd=number)
        finally:
            os.close(number)
        number = inner
    return number


def _regular(number: int) -> BinaryIO:
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("not a regular file")
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def _open_by_path(root: Path, parts: tuple[str, ...]) -> BinaryIO:
    path, about = root, os.lstat(root)
    for part in parts:
        path = path / part
        about = os.lstat(path)
        if stat.S_ISLNK(about.st_mode):
            raise OSError("a link is on the way")
    number = os.open(path, _FILE)
    if not os.path.samestat(os.fstat(number), about):
        os.close(number)
        raise OSError("the file was replaced while it was opened")
    return _regular(number)


def _found(parts: tuple[str, ...], entry: os.DirEntry[str]) -> Found:
    name = (*parts, entry.name)
    try:
        about = entry.stat(follow_symlinks=False)
    except OSError:
        return Found(name, "unreadable")
    if stat.S_ISLNK(about.st_mode):
        return Found(name, "link")
    if stat.S_ISDIR(about.st_mode):
        return Found(name, "folder")
    return Found(name, "file", about.st_size) if stat.S_ISREG(about.st_mode) else Found(name, "other")
