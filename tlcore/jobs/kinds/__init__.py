"""The kinds of job there are: a file here and a line in KINDS. Each is ``work(store, job, progress) -> output``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.errors import UnusableInput
from tlcore.words import Sentence, say

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

KINDS = (
    ("run", "tlcore.flow:work"),
    ("check-upload", "tlcore.jobs.kinds.uploads:check_upload"),
    ("take-set", "tlcore.jobs.kinds.uploads:take_set"),
    ("predict", "tlcore.jobs.kinds.predicting:predict"),
    ("ask", "tlcore.jobs.kinds.predicting:ask"),
    ("explain", "tlcore.jobs.kinds.explaining:explain"),
    ("measure", "tlcore.jobs.kinds.measuring:measure"),
    ("rank", "tlcore.jobs.kinds.measuring:rank"),
    ("race", "tlcore.jobs.kinds.race:work"),
    ("label-savings", "tlcore.jobs.kinds.label_savings:work"),
)
OURS = "tlcore.jobs.kinds:KINDS"


class Progress(Protocol):
    def __call__(self, share: float | None, sentence: Sentence | None = None, **more: Any) -> None:
        """Note how far the work has got (``share`` 0-1, None: unknown). Raises Cancelled where the person asked."""


Work = Callable[["Store", "Job", Progress], dict[str, Any]]


def find(kind: str, kinds: str = OURS) -> Work:
    """The function that does a kind of job; ``kinds`` names the tuple to look in, as ``module:NAME``."""
    table = dict(_imported(kinds))
    if len(table) != len(_imported(kinds)):
        raise ValueError(f"{kinds} names a kind twice")
    if kind not in table:
        raise UnusableInput(say("This version of the studio knows no work called {kind}.", kind=kind), code="kind")
    return _imported(table[kind])


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
