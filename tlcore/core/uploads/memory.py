"""Data that need more memory than there is: said as that, with the file's name, and never as damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tlcore.core import machine
from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence


@contextlib.contextmanager
def named(file: str) -> Iterator[None]:
    """Where memory runs out inside, raises UnusableInput with the name of the ``file`` that was read."""
    try:
        yield
    except UnusableInput:
        raise
    except Exception as error:
        if machine.out_of_memory(error):
            raise not_enough(file) from None
        raise


def not_enough(file: str) -> UnusableInput:
    """That a file needs more memory than there is."""
    return UnusableInput(
        sentence(
            "{file} needs more memory than this machine has free. Give it in smaller files, or as CSV or JSON lines, "
            "which are read row by row; or use a machine with more memory.",
            file=file,
        ),
        code="out-of-memory",
        file=file,
    )
