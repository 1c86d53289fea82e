"""Paths that a person typed, or a Spec names: checked before they reach the file system, and shown in sentences."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence


def usable_path(given: str | Path, *, expand: bool = True) -> Path:
    """``given`` as a path, ``~`` expanded unless ``expand`` is false; whether anything is there is not asked.

    Raises UnusableInput with code ``path`` where no file can have such a name.
    """
    shown = printable_name(str(given))
    try:
        path = Path(given).expanduser() if expand else Path(given)
        os.lstat(path)
    except ValueError:  # a NUL, or half a character
        raise UnusableInput(
            sentence("{path} cannot be a path: it holds a character that no file name can have.", path=shown),
            code="path",
            file=shown,
        ) from None
    except RuntimeError:
        raise UnusableInput(
            sentence("{path} begins with the home folder of somebody who is not known here.", path=shown),
            code="path",
            file=shown,
        ) from None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UnusableInput(
                sentence("The path {path} is longer than file names can be on this machine.", path=shown),
                code="path",
                file=shown,
            ) from None
    return path


def resolved_path(given: str | Path) -> Path:
    """`usable_path`, absolute and without links. Raises UnusableInput, also where links lead in a circle."""
    path = usable_path(given)
    try:
        return path.resolve()
    except (RuntimeError, OSError):
        raise UnusableInput(
            sentence("The links at {path} lead in a circle.", path=printable_name(str(given))),
            code="path",
            file=printable_name(str(given)),
        ) from None


def is_there(path: Path) -> bool:
    """Whether there is something at a path, also where asking fails."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def text_name(name: str) -> str:
    """A file name that may not be UTF-8, as text: what is not is shown as a mark."""
    return name.encode("utf-8", "surrogateescape" if _escaped(name) else "replace").decode("utf-8", "replace")


def printable_name(name: str) -> str:
    """A name fit for a sentence: no control characters, at most 200 characters."""
    text = "".join(c if c.isprintable() else "�" for c in text_name(name))
    return text if len(text) <= 200 else text[:197] + "…"


def _escaped(name: str) -> bool:
    return all("\udc80" <= c <= "\udcff" for c in name if "\ud800" <= c <= "\udfff")
