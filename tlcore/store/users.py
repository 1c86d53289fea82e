"""People who sign in: by issuer and subject (``iss``, ``sub``), which a provider never gives to anybody else.

The rows of a person (projects, datasets, jobs, runs, models) name an *owner*, an opaque id that is made at the first
sign-in. Databases of before this table hold rows whose owner is an e-mail address, or a subject. Such an owner is
claimed once, by the first identity that has that address verified (or that subject); nobody else gets it after.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tlcore.core import atomic_files
from tlcore.store.tables import LOCAL_OWNER, DatasetRow, Job, Model, Project, Run, User, fold_owner, new_id

if TYPE_CHECKING:
    from tlcore.store.workspace import Workspace

EMAIL_ISSUERS = "TLCORE_EMAIL_ISSUERS"
OPAQUE = "user-"
OWNED = (Project, DatasetRow, Job, Run, Model)


@dataclass(frozen=True)
class Identity:
    """Who somebody is, as the provider says."""

    iss: str
    sub: str
    email: str | None = None  # only where it is verified; ASCII letters are small
    name: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells people apart."""
        return self.iss, self.sub

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Identity | None:
        """The identity in the claims of ``st.user`` or its cookie; None where nobody is signed in, or without subject.

        Streamlit adds ``is_logged_in`` and ``provider``; the latter stands in for an issuer that is not said.
        """
        iss, sub = str(claims.get("iss") or claims.get("provider") or ""), str(claims.get("sub") or "")
        if claims.get("is_logged_in") is not True or not iss or not sub:
            return None
        email, name = str(claims.get("email") or "").strip(), str(claims.get("name") or "").strip()
        return cls(
            iss=iss,
            sub=sub,
            email=fold_owner(email) if "@" in email and _is_verified(claims, iss) else None,
            name=name[:200] or None,
        )


def _is_verified(claims: Mapping[str, Any], iss: str) -> bool:
    """Whether the provider says that the address is the person's own.

    A provider that never says it counts where TLCORE_EMAIL_ISSUERS (separated by blanks or commas) names it.
    """
    said = claims.get("email_verified")
    if said is None:
        return iss in re.split(r"[\s,]+", os.environ.get(EMAIL_ISSUERS, ""))
    return said is True or said == "true"


class Users:
    """The table of people; roles and quotas will be of its rows."""

    def __init__(self, store: Workspace):
        self._store = store

    def sign_in(self, who: Identity) -> User:
        """The row of a person, made or brought up to date.

        Owners of before this table that are theirs become theirs here.
        """
        for attempt in range(5):
            try:
                with self._store.transaction() as session:
                    return self._signed_in(session, who)
            except IntegrityError:  # another process made the row, or claimed the owner, in between
                if attempt == 4:
                    raise
        raise AssertionError("not reached")

    def names(self) -> dict[str, str]:
        """What others may see of each owner: a verified address, else the name that the provider says."""
        with self._store.transaction() as session:
            rows = session.scalars(select(User))
            return {row.owner: row.email or _unlike_address(row.name) or row.owner for row in rows}

    def _signed_in(self, session: Session, who: Identity) -> User:
        user = session.scalar(select(User).where(User.iss == who.iss, User.sub == who.sub))
        now = time.time()
        if user is None:
            # Added before an owner is claimed: of two processes one fails here, and tries again.
            id_ = new_id()
            user = User(id=id_, iss=who.iss, sub=who.sub, owner=OPAQUE + id_, created=now, seen=now)
            session.add(user)
            session.flush()
        own = OPAQUE + user.id
        if user.owner == own:
            self._claim(session, user, who)
        if user.owner != own and self._owns_something(session, own):  # made before the claim, or in an older page
            self._move(session, own, user.owner)
        user.email, user.name, user.seen = who.email, who.name, now
        session.flush()
        return user

    def _claim(self, session: Session, user: User, who: Identity) -> None:
        """Give the person the owners of before that are theirs and that nobody claimed."""
        found = [owner for owner in self._owners_of_before(session, who) if not _claimed(session, owner)]
        if not found:
            return
        user.owner = found[0]
        session.flush()  # owners are unique: where somebody claimed it meanwhile, this fails
        for owner in found[1:]:
            self._move(session, owner, user.owner)

    def _owners_of_before(self, session: Session, who: Identity) -> Iterable[str]:
        if who.email and self._owns_something(session, who.email):
            yield who.email
        # A subject says nothing without its issuer, which was not kept: only while there has been a single one.
        alone = not session.scalar(select(exists().where(User.iss != who.iss)))
        reserved = "@" in who.sub or who.sub == LOCAL_OWNER or who.sub.startswith(OPAQUE)
        if alone and not reserved and self._owns_something(session, who.sub):
            yield who.sub

    def _owns_something(self, session: Session, owner: str) -> bool:
        if any(session.scalar(select(exists().where(table.owner == owner))) for table in OWNED):
            return True
        return any(fold_owner(said) == owner for _, _, said in self._uploaded_sources())

    def _move(self, session: Session, old: str, new: str) -> None:
        """Everything of one owner becomes another's."""
        theirs = select(DatasetRow.fingerprint).where(DatasetRow.owner == new)
        session.execute(delete(DatasetRow).where(DatasetRow.owner == old, DatasetRow.fingerprint.in_(theirs)))
        for table in OWNED:
            session.execute(update(table).where(table.owner == old).values(owner=new))
        for path, about, said in self._uploaded_sources():
            if fold_owner(said) == old:
                atomic_files.write(path, json.dumps({**about, "owner": new}))

    def _uploaded_sources(self) -> Iterable[tuple[Path, dict[str, Any], str]]:
        """The file about each uploaded source model, what it says, and its owner."""
        for path in (self._store.home / "sources").glob("*/about.json"):
            try:
                about = json.loads(path.read_text())
            except (OSError, ValueError):
                continue
            if isinstance(about, dict) and isinstance(about.get("owner"), str):
                yield path, about, about["owner"]


def _claimed(session: Session, owner: str) -> bool:
    return bool(session.scalar(select(exists().where(User.owner == owner))))


def _unlike_address(name: str | None) -> str | None:
    """A name as the provider says it, which may not pass for somebody's verified address."""
    return name if name and "@" not in name else None
