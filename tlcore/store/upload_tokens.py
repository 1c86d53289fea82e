"""Uploads that are too large for a page: sent to an address with a secret in it, and streamed to the workspace.

A page makes the secret (`open_door`) and shows the person a command such as ``curl -T photos.zip ADDRESS``; the web
server's route writes what arrives below ``staging/uploads/<secret>/`` (`Arriving`); the page then finds it
(`arrived`), hands the path to a check, and closes the door. The secret is the only key: it cannot be guessed, lasts a
day, and lets nobody read anything.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
from pathlib import Path

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence

LASTS = 24 * 3600  # seconds
FILES = 20  # through one door
SPARE = 2 * 2**30  # bytes of disk that an upload leaves free
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")


def limit() -> int:
    """Bytes of the largest file that is taken (TLCORE_UPLOAD_GB, 50)."""
    return int(float(os.environ.get("TLCORE_UPLOAD_GB") or 50) * 2**30)


def open_token(home: Path, owner: str) -> str:
    """A new secret under which files may be sent for a day."""
    _clear(home)
    secret = secrets.token_urlsafe(32)
    folder = _folder(home, secret)
    folder.mkdir(parents=True, mode=0o700)
    (folder / ".door.json").write_text(json.dumps({"owner": owner, "until": time.time() + LASTS}))
    return secret


def is_open(home: Path, secret: str) -> bool:
    """Whether files may be sent under that secret."""
    if not _SECRET.match(secret):
        return False
    try:
        return time.time() < json.loads((_folder(home, secret) / ".door.json").read_bytes())["until"]
    except (OSError, ValueError, KeyError):
        return False


def arrived(home: Path, secret: str) -> list[Path]:
    """The files that have arrived whole."""
    return sorted(path for path in _folder(home, secret).glob("*") if not path.name.startswith("."))


def arriving(home: Path, secret: str) -> int:
    """Bytes of files that are still on their way."""
    return sum(path.stat().st_size for path in _folder(home, secret).glob(".*.part"))


def close_token(home: Path, secret: str) -> None:
    """Nothing more is taken under that secret; what arrived stays for the check that was given its path."""
    (_folder(home, secret) / ".door.json").unlink(missing_ok=True)


class Arriving:
    """One file on its way. ``write`` raises UnusableInput where it is too large or the disk too full for it."""

    def __init__(self, home: Path, secret: str, name: str, size: int | None = None):
        if not is_open(home, secret):
            raise UnusableInput(
                sentence("This address has expired. Ask the page for a new one."), code="upload-address"
            )
        folder = _folder(home, secret)
        if len(list(folder.iterdir())) > FILES:
            raise UnusableInput(sentence("At most {n} files can be sent to one address.", n=FILES), code="upload-files")
        self.path = folder / _plain(name)
        self._part = folder / f".{secrets.token_hex(8)}.part"
        self._written = 0
        self._room(size or 0)
        self._file = self._part.open("xb")

    def write(self, data: bytes) -> None:
        self._written += len(data)
        self._room(len(data))
        self._file.write(data)

    def done(self) -> int:
        """The file has arrived whole; its bytes."""
        self._file.close()
        self._part.replace(self.path)
        return self._written

    def give_up(self) -> None:
        """It did not arrive whole; nothing of it stays."""
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _room(self, more: int) -> None:
        if max(self._written, more) > limit():
            raise UnusableInput(
                sentence(
                    "The file is larger than {gigabytes} GB, the most this server takes.", gigabytes=limit() / 2**30
                ),
                code="upload-too-large",
                file=self.path.name,
            )
        if shutil.disk_usage(self.path.parent).free - more < SPARE:
            raise UnusableInput(
                sentence("The server's disk has no room for this file."), code="disk-full", file=self.path.name
            )


def _folder(home: Path, secret: str) -> Path:
    if not _SECRET.match(secret):
        raise UnusableInput(sentence("This address has expired. Ask the page for a new one."), code="upload-address")
    return home / "staging" / "uploads" / secret


def _plain(name: str) -> str:
    """A file name without folders, control characters and leading dots, at most 150 bytes long."""
    base = re.sub(r"[\x00-\x1f\x7f/\\:]", "_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, end = base.rpartition(".")
    if dot and len(end) < 12:
        stem = stem.encode()[: 149 - len(end.encode())].decode(errors="ignore")
        return f"{stem or 'upload'}.{end}"
    return base.encode()[:150].decode(errors="ignore") or "upload"


def _clear(home: Path) -> None:
    """Remove what was sent two days ago or earlier: a check has copied what it needed long since."""
    for folder in (home / "staging" / "uploads").glob("*"):
        if folder.stat().st_mtime < time.time() - 2 * LASTS:
            shutil.rmtree(folder, ignore_errors=True)
