"""What can go wrong, each with a sentence a person can act on and the exit code of the command line."""

from __future__ import annotations

from typing import Any

from tlcore.core.i18n import Sentence, sentence


class StudioError(Exception):
    """A failure explained in the person's words. ``code`` is a short stable id in kebab-case."""

    exit_code = 1

    def __init__(self, message: Sentence, *, code: str, file: str | None = None, row: int | None = None):
        super().__init__(str(message))
        self.sentence, self.code, self.file, self.row = message, code, file, row

    def to_json(self) -> dict[str, Any]:
        """The ``error`` object that ``--json`` prints."""
        return {"code": self.code, "message": str(self.sentence), "file": self.file, "row": self.row}


class UnusableInput(StudioError):
    """Data, a spec, a source model or a bundle that cannot be used as it is."""

    exit_code = 2


class RunFailed(StudioError):
    """A run that could not be finished; the traceback is in its log."""

    exit_code = 1


class AttemptLost(StudioError):
    """Another attempt holds the job: what this one wrote is refused, and it must end."""

    exit_code = 1

    def __init__(self) -> None:
        message = sentence("Another attempt has taken over this job, so this one ends here and changes nothing more.")
        super().__init__(message, code="attempt-lost")


class Cancelled(StudioError):
    """The person asked for the run to stop."""

    exit_code = 130
