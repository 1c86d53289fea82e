"""Holding a job while its work is done: heartbeat, progress, and the person's wish to stop."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tlcore.core.errors import Cancelled
from tlcore.core.i18n import Sentence, sentence

if TYPE_CHECKING:
    from tlcore.store import Store
    from tlcore.store.tables import Job

LOOK = 0.5  # seconds between looks at the database
BEAT = 2.0  # seconds between heartbeats where no progress is to be written


def seconds() -> float:
    """How long a job is held without a heartbeat (TLCORE_LEASE, 10 s): after that another worker may take it."""
    return max(float(os.environ.get("TLCORE_LEASE") or 10), 1.0)


class Lease:
    """Renews one attempt's hold on a job from a thread of its own, while the work runs in another.

    ``progress`` only leaves a note in memory, so the work may call it at every step; the thread writes at most two
    notes a second. ``lost`` is called, in that thread, once the attempt no longer holds the job.
    """

    def __init__(
        self, store: Store, job: Job, lost: Callable[[], None], on_progress: Callable[..., None] | None = None
    ):
        self._store, self._job, self._lost, self._on_progress = store, job, lost, on_progress
        self._note: dict[str, Any] | None = None
        self._share: float | None = None
        self._lock, self._end, self._stop = threading.Lock(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if note := self._taken():
            self._store.jobs.beat(self._job.id, self._job.attempt, progress=note)

    def progress(self, share: float | None, message: Sentence | None = None, **more: Any) -> None:
        """Note how far the work has got; None keeps the last known share. Raises Cancelled where the person asked."""
        if share is not None:
            self._share = min(max(float(share), 0.0), 1.0)
        note = {
            "share": self._share,
            "sentence": message.model_dump(mode="json") if message else None,
            "at": time.time(),
            **more,
        }
        with self._lock:
            self._note = note
        if self._on_progress:
            self._on_progress(self._share, message, **more)
        if self._stop.is_set():
            raise Cancelled(sentence("Stopped, as you asked."), code="cancelled")

    def _taken(self) -> dict[str, Any] | None:
        with self._lock:
            note, self._note = self._note, None
        return note

    def _renew(self) -> None:
        jobs, job_id, attempt = self._store.jobs, self._job.id, self._job.attempt
        # On one machine (SQLite) nobody takes a job from a living process. Elsewhere a child that cannot reach the
        # database for as long as its lease must expect that somebody did.
        shared = not self._store.url.startswith("sqlite")
        held = written = time.monotonic()
        while not self._end.wait(LOOK):
            note = None
            try:
                asked = jobs.asked_to_stop(job_id, attempt)
                if asked:
                    self._stop.set()
                note = self._taken()
                if asked is not None and (note or time.monotonic() - written >= BEAT):
                    values = {"progress": note} if note else {}
                    asked = asked if jobs.beat(job_id, attempt, **values) else None
                    written = time.monotonic()
                held = time.monotonic()
            except Exception:  # the database is away for a moment: say so in the log and try again
                traceback.print_exc(file=sys.stderr)
                self._put_back(note)
                asked = None if shared and time.monotonic() - held > seconds() else False
            if asked is None and not self._end.is_set():
                self._lost()
                return

    def _put_back(self, note: dict[str, Any] | None) -> None:
        with self._lock:
            self._note = self._note or note
