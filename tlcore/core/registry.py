"""An explicit, ordered tuple of entries, looked up by id."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, TypeVar

from tlcore.core.errors import UnusableInput
from tlcore.core.i18n import sentence


class _WithId(Protocol):
    id: str


T = TypeVar("T", bound=_WithId)


def by_id(things: Sequence[T]) -> Mapping[str, T]:
    """The entries by id. Raises ValueError for a duplicate id, at import."""
    found: dict[str, T] = {}
    for thing in things:
        if thing.id in found:
            raise ValueError(f"two entries have the id {thing.id!r}")
        found[thing.id] = thing
    return MappingProxyType(found)


def pick(things: Mapping[str, T], wanted: str, *, what: str) -> T:
    """The entry with that id. Raises UnusableInput with the known ids."""
    if wanted in things:
        return things[wanted]
    near = difflib.get_close_matches(wanted, things, n=1)
    if near:
        message = sentence(
            "There is no {what} called {wanted}; did you mean {near}? There are: {known}.",
            what=what,
            wanted=wanted,
            near=near[0],
            known=list(things),
        )
    else:
        message = sentence(
            "There is no {what} called {wanted}. There are: {known}.", what=what, wanted=wanted, known=list(things)
        )
    raise UnusableInput(message, code=f"unknown-{what}")
