"""Zip archives from people we do not know: judged by their directory before a byte is unpacked.

Names are cleaned or set aside; an archive that is a bomb, encrypted or overlapping is refused whole.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import threading
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tlcore.core.errors import UnusableInput
from tlcore.core.findings import RejectedRow
from tlcore.core.i18n import Sentence, sentence
from tlcore.core.uploads import memory

JUNK = frozenset({"__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db"})


@dataclass(frozen=True)
class Limits:
    """What an archive may hold. ``ratio`` is unpacked to packed bytes, judged only above ``ratio_from``
    bytes.
    """

    entries: int = 200_000
    total: int = 20_000_000_000
    file: int = 2_000_000_000
    ratio: float = 120.0
    ratio_from: int = 50_000_000
    name: int = 1000


LIMITS = Limits()


class Archive:
    """A vetted zip. ``names`` maps a clean relative name (posix, Unicode NFC) to its entry; reading is
    thread-safe.

    It is opened once: what is vetted is what is read. ``opened`` is the file where the caller opened it (it is closed
    with this object, and ``path`` is then only its name).

    Raises UnusableInput with a code that begins with ``archive``.
    """

    def __init__(self, path: Path, limits: Limits = LIMITS, *, opened: BinaryIO | None = None):
        self.path, self.set_aside = path, list[RejectedRow]()
        self._file = opened or _opened(path)
        try:
            _count(self._file, path, limits)
            self._read_directory(path, limits)
        except BaseException:
            self._file.close()
            raise

    def _read_directory(self, path: Path, limits: Limits) -> None:
        try:
            self._zip = zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError, OSError):
            raise _refuse(
                path,
                sentence(
                    "The zip {file} is damaged or incomplete; make it again, or upload it again.",
                    file=path.name,
                ),
                "archive-damaged",
            ) from None
        self._lock = threading.Lock()
        try:
            self.names = self._vet(limits)
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def size(self, name: str) -> int:
        """Unpacked bytes, as the directory declares them; no more than that is ever read."""
        return self.names[name].file_size

    def read(self, name: str) -> bytes:
        """The content of one entry. Raises UnusableInput where it is damaged."""
        info = self.names[name]
        try:
            with self._lock:
                entry = self._zip.open(info)
            try:
                return entry.read()
            finally:
                with self._lock:
                    entry.close()
        except MemoryError:
            raise memory.not_enough(name) from None
        except Exception:
            raise _damaged(name) from None

    def copy(self, name: str, to: Path) -> None:
        """Stream one entry to a new file. Raises UnusableInput where it is damaged."""
        try:
            with self._zip.open(self.names[name]) as entry, to.open("xb") as file:
                shutil.copyfileobj(entry, file, 1 << 20)
        except Exception as error:
            to.unlink(missing_ok=True)
            if isinstance(error, MemoryError):
                raise memory.not_enough(name) from None
            if isinstance(error, OSError) and not isinstance(error, EOFError) and error.errno:
                raise
            raise _damaged(name) from None

    def _vet(self, limits: Limits) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        files = [info for info in infos if not info.is_dir()]
        if len(infos) > limits.entries:
            raise _too_many(self.path, limits)
        if any(info.flag_bits & 0x1 for info in files):
            raise _refuse(
                self.path,
                sentence("The zip {file} is protected by a password; upload it without one.", file=self.path.name),
                "archive-encrypted",
            )
        odd = next((i for i in files if i.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), None)
        if odd is not None:
            raise _refuse(
                self.path,
                sentence("The zip {file} is packed by an unusual method; make a plain zip.", file=self.path.name),
                "archive-method",
            )
        packed, total = sum(i.compress_size for i in files), sum(i.file_size for i in files)
        if total > limits.total or any(i.file_size > limits.file for i in files):
            raise _refuse(
                self.path,
                sentence(
                    "The zip {file} unpacks to {size} GB; at most {limit} GB are read.",
                    file=self.path.name,
                    size=round(total / 1e9, 1),
                    limit=round(limits.total / 1e9, 1),
                ),
                "archive-too-large",
            )
        if total > limits.ratio_from and total > limits.ratio * max(packed, 1):
            raise _bomb(self.path)
        _refuse_overlaps(self.path, files)
        names: dict[str, zipfile.ZipInfo] = {}
        for info in files:
            shown = _name(info)
            if junk(shown):
                continue
            problem = _unsafe(info, limits)
            name = clean(shown)
            if problem is None and name in names:
                problem = sentence("Another file of the same name is in the zip; the first one is used.")
            if problem is None:
                names[name] = info
            else:
                self.set_aside.append(RejectedRow(file=_printable(shown), reason=problem))
        return names


def extract(
    path: Path, folder: Path, *, allowed: Callable[[str], bool] | None = None, limits: Limits = LIMITS
) -> list[str]:
    """Unpack the safe entries of a zip (those for which ``allowed(name)``) below ``folder``; their names.

    Existing files are never overwritten. Raises UnusableInput, also where the disk has not enough room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done: list[str] = []
    with Archive(path, limits) as archive:
        names = [name for name in archive.names if allowed is None or allowed(name)]
        require_free_space(folder, sum(archive.size(name) for name in names), path.name)
        for name in names:
            target = folder.joinpath(*name.split("/"))
            if any(len(part.encode()) > 255 for part in target.parts):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.parent.resolve().is_relative_to(folder.resolve()) or target.exists():
                continue
            archive.copy(name, target)
            done.append(name)
    return done


def require_free_space(folder: Path, size: int, file: str) -> None:
    """Raises UnusableInput where ``size`` bytes would not leave 200 MB free on the disk of ``folder``."""
    free = shutil.disk_usage(folder).free - 200_000_000
    if size > free:
        raise UnusableInput(
            sentence(
                "{file} needs {size} GB of disk, and only {free} GB are free on this machine.",
                file=file,
                size=round(size / 1e9, 1),
                free=round(max(free, 0) / 1e9, 1),
            ),
            code="disk-full",
            file=file,
        )


def clean(name: str) -> str:
    """A relative posix name in Unicode NFC (what a Mac packs and what a table says then compare equal)."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts))


def junk(name: str) -> bool:
    """Whether a path is what systems leave behind: hidden files, __MACOSX, thumbnails."""
    parts = name.replace("\\", "/").split("/")
    return any(part.lower() in JUNK or (part.startswith(".") and part not in (".", "..")) for part in parts)


def outside(name: str) -> bool:
    """Whether a name is absolute, has a drive letter, or climbs out by '..'."""
    name = name.replace("\\", "/")
    return name.startswith("/") or (len(name) > 1 and name[1] == ":") or ".." in name.split("/")


def _name(info: zipfile.ZipInfo) -> str:
    """The entry's name; UTF-8 that is not flagged as such (as a Mac writes it) is read as UTF-8."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _unsafe(info: zipfile.ZipInfo, limits: Limits) -> Sentence | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return sentence("It is a link to another file; links in a zip are not followed.")
    if kind not in (0, stat.S_IFREG):
        return sentence("It is not a regular file.")
    name = getattr(info, "orig_filename", info.filename)
    if outside(name) or outside(info.filename):
        return sentence("Its name points outside of the zip.")
    if "\x00" in name or not clean(name):
        return sentence("Its name cannot be used.")
    if len(name) > limits.name:
        return sentence("Its name is longer than {limit} characters.", limit=limits.name)
    return None


def count_entries(path: Path, limits: Limits = LIMITS) -> None:
    """Refuse what is not a zip, and a directory of entries too large to be listed in memory."""
    with _opened(path) as file:
        _count(file, path, limits)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        raise _refuse(path, sentence("{file} cannot be read.", file=path.name), "archive-damaged") from None


def _count(file: BinaryIO, path: Path, limits: Limits) -> None:
    try:
        file.seek(0)
        start = file.read(262)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    except OSError:
        raise _refuse(path, sentence("{file} cannot be read.", file=path.name), "archive-damaged") from None
    if size == 0:
        raise _refuse(path, sentence("{file} is empty.", file=path.name), "archive-empty")
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        if start[:4] == b"PK\x03\x04":
            raise _refuse(
                path,
                sentence(
                    "The zip {file} is damaged or incomplete; make it again, or upload it again.",
                    file=path.name,
                ),
                "archive-damaged",
            )
        raise _refuse(
            path,
            sentence(
                "{file} is not a zip but {kind}; pack what is in it as a plain zip.",
                file=path.name,
                kind=_kind(start),
            ),
            "archive-not-zip",
        )
    entries, directory = struct.unpack("<HL", tail[at + 10 : at + 16])
    wide = tail.rfind(b"PK\x06\x06", 0, at)
    if wide >= 0 and len(tail) - wide >= 56:
        entries, directory = struct.unpack("<QQ", tail[wide + 32 : wide + 48])
    if entries > limits.entries or (directory != 0xFFFFFFFF and directory > limits.entries * 400):
        raise _too_many(path, limits)


def _refuse_overlaps(path: Path, files: list[zipfile.ZipInfo]) -> None:
    """Entries that share their packed bytes are how a small zip without a high ratio unpacks to terabytes."""
    end = -1
    for info in sorted(files, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise _bomb(path)
        end = info.header_offset + 30 + info.compress_size


def _kind(start: bytes) -> Sentence:
    if start[:2] == b"\x1f\x8b":
        return sentence("a gzip or tar.gz archive")
    if start[257:262] == b"ustar":
        return sentence("a tar archive")
    if start[:4] == b"Rar!":
        return sentence("a RAR archive")
    if start[:6] == b"7z\xbc\xaf\x27\x1c":
        return sentence("a 7z archive")
    if start[:3] == b"BZh" or start[:6] == b"\xfd7zXZ\x00":
        return sentence("a compressed file of another kind")
    return sentence("a file of another kind")


def _refuse(path: Path, message: Sentence, code: str) -> UnusableInput:
    return UnusableInput(message, code=code, file=path.name)


def _too_many(path: Path, limits: Limits) -> UnusableInput:
    return _refuse(
        path,
        sentence("The zip {file} holds more than {limit} files.", file=path.name, limit=limits.entries),
        "archive-too-many",
    )


def _bomb(path: Path) -> UnusableInput:
    return _refuse(
        path,
        sentence(
            "{file} unpacks to far more than files of its kind do; it is refused as a zip bomb.",
            file=path.name,
        ),
        "archive-bomb",
    )


def _damaged(name: str) -> UnusableInput:
    return UnusableInput(sentence("The file is damaged inside the zip."), code="unreadable", file=name)


def _printable(name: str) -> str:
    """A name fit for a list: no control characters, at most 200 characters."""
    text = "".join(c if c.isprintable() else "�" for c in name)
    return text if len(text) <= 200 else text[:197] + "…"
