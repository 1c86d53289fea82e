"""How much the uploaders of the pages take: files that stay in the memory of the web process until they are checked."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence

SESSION_MB, PERSON_MB = "TLCORE_SESSION_UPLOAD_MB", "TLCORE_PERSON_UPLOAD_MB"
RECORD = 1024  # bytes that a file counts for beside its content


@dataclass(frozen=True)
class UploadLimits:
    """Bytes of uploaded files that are held in memory at most."""

    session: int  # of one browser tab
    person: int  # of all tabs of one person; without sign-in, of everybody

    @classmethod
    def from_environment(cls) -> UploadLimits:
        """TLCORE_SESSION_UPLOAD_MB (400) and TLCORE_PERSON_UPLOAD_MB (800). Raises UnusableInput."""
        return cls(session=_megabytes(SESSION_MB, 400), person=_megabytes(PERSON_MB, 800))

    def file_megabytes(self, configured: int) -> int:
        """Megabytes of the largest single file that a page can take, where its uploader would take ``configured``."""
        return max(min(configured, (min(self.session, self.person) - RECORD) // 2**20), 1)


def _megabytes(variable: str, default: int) -> int:
    given = os.environ.get(variable) or str(default)
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 1):
        raise UnusableInput(
            sentence(
                "{variable} is {value}; it must be a number of megabytes, at least 1.", variable=variable, value=given
            ),
            code="setting",
        )
    return int(value * 2**20)
