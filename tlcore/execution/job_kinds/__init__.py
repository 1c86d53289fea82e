"""The kinds of job there are: a file here and a line in KINDS. Each is ``work(store, job, progress) -> output``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

KINDS = (
    ("run", "tlcore.flow:work"),
    ("check-upload", "tlcore.execution.job_kinds.ingest:check_upload"),
    ("take-set", "tlcore.execution.job_kinds.ingest:take_set"),
    ("predict", "tlcore.execution.job_kinds.predict:predict"),
    ("ask", "tlcore.execution.job_kinds.predict:ask"),
    ("explain", "tlcore.execution.job_kinds.explain:explain"),
    ("measure", "tlcore.execution.job_kinds.measure:measure"),
    ("rank", "tlcore.execution.job_kinds.measure:rank"),
    ("race", "tlcore.execution.job_kinds.pilot:work"),
    ("label-savings", "tlcore.execution.job_kinds.label_savings:work"),
)
OURS = "tlcore.execution.job_kinds:KINDS"


class Progress(Protocol):
    def __call__(self, share: float | None, message: Sentence | None = None, **more: Any) -> None:
        """Note how far the work has got (``share`` 0-1, None: unknown). Raises Cancelled where the person asked."""


Work = Callable[["Store", "Job", Progress], dict[str, Any]]


def find(kind: str, kinds: str = OURS) -> Work:
    """The function that does a kind of job; ``kinds`` names the tuple to look in, as ``module:NAME``."""
    table = dict(_imported(kinds))
    if len(table) != len(_imported(kinds)):
        raise ValueError(f"{kinds} names a kind twice")
    if kind not in table:
        raise UnusableInput(sentence("This version of the studio knows no work called {kind}.", kind=kind), code="kind")
    return _imported(table[kind])


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
