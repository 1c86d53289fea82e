"""Groups from file names: one patient, product or session stays in one split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence

MAX_PATTERN = 200
MAX_NAME = 512
SECONDS = 0.2


def by_pattern(pattern: str, names: Iterable[str]) -> list[str | None]:
    """The group of each name: the pattern's first capture group, else the full match; None without a match.

    Each search has a timeout of 0.2 s, since some patterns backtrack for years on some names. Raises UnusableInput with
    code ``group``.
    """
    find = _compile(pattern)
    groups: list[str | None] = []
    for name in names:
        try:
            match = find.search(name[-MAX_NAME:], timeout=SECONDS)
        except TimeoutError:
            raise UnusableInput(
                sentence(
                    "The group pattern {pattern} takes too long on the file name {file}; make it simpler.",
                    pattern=pattern,
                    file=name[-MAX_NAME:],
                ),
                code="group",
                file=name,
            ) from None
        text = None if match is None else (match[1] if find.groups and match[1] is not None else match[0])
        groups.append(text or None)
    return groups


def _compile(pattern: str) -> Any:
    import regex

    if len(pattern) > MAX_PATTERN:
        raise UnusableInput(
            sentence("The group pattern is longer than {limit} characters.", limit=MAX_PATTERN), code="group"
        )
    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError, ValueError, MemoryError) as error:
        raise UnusableInput(
            sentence(
                "The group {pattern} is neither a column nor a regular expression: {problem}.",
                pattern=pattern,
                problem=str(error),
            ),
            code="group",
        ) from None
