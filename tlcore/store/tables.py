"""The tables. A change here comes with an Alembic revision in ``migrations/versions``."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

# States of a job, as the person sees them.
QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED, INTERRUPTED = (
    "queued",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "interrupted",
)
TERMINAL = (SUCCEEDED, FAILED, CANCELLED)
_IS_RUNNING = text(f"state = '{RUNNING}'")

LOCAL_OWNER = "local"  # whose rows these are where nobody signs in


def fold_owner(owner: str) -> str:
    """An owner as it is kept and compared: ASCII letters of an e-mail address are small, everything else stays.

    Other letters are left alone, since some of them become an ASCII letter by folding, and so somebody else's address.
    """
    return "".join(one.lower() if one.isascii() else one for one in owner) if "@" in owner else owner


def new_id() -> str:
    """Ten characters, sortable by time of creation to about a second."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    stamp, id = int(time.time()), ""
    for _ in range(6):
        stamp, digit = divmod(stamp, 32)
        id = alphabet[digit] + id
    return id + "".join(secrets.choice(alphabet) for _ in range(4))


def insert_into(session: Session, table: type[Base]) -> Any:
    """An INSERT that may say ``on_conflict…``, which each database has in a dialect of its own."""
    return (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(table)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012


class User(Base):
    """Somebody who signed in; (``iss``, ``sub``) of their provider tells people apart, never an address."""

    __tablename__ = "users"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    iss: Mapped[str] = mapped_column(String(500))
    sub: Mapped[str] = mapped_column(String(500))
    owner: Mapped[str] = mapped_column(String(200))  # what the rows of other tables name; no two people share one
    email: Mapped[str | None] = mapped_column(String(320))  # as verified at the last sign-in
    name: Mapped[str | None] = mapped_column(String(200))
    created: Mapped[float] = mapped_column(default=time.time)
    seen: Mapped[float] = mapped_column(default=time.time)  # the last sign-in
    __table_args__ = (
        UniqueConstraint("iss", "sub", name="uq_users_iss_sub"),
        UniqueConstraint("owner", name="uq_users_owner"),
    )


class Project(Base):
    """One walk of one person: a draft of a Spec, and the runs made from it."""

    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    owner: Mapped[str] = mapped_column(String(200), index=True)
    name: Mapped[str] = mapped_column(String(200))
    draft: Mapped[dict[str, Any]]  # the Spec so far; may lack task, data and source
    created: Mapped[float] = mapped_column(default=time.time)
    updated: Mapped[float] = mapped_column(default=time.time)


class DatasetRow(Base):
    """A dataset that somebody confirmed; its folder is ``datasets/<fingerprint>``, one for all who confirmed it.

    ``details`` is a `data.dataset.OwnerDetails`: what the upload of this person adds to the content. It is None in a
    row that was made when these lay in the shared folder, and whose owner was the first to confirm the data.
    """

    __tablename__ = "datasets"
    fingerprint: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(200), primary_key=True, index=True)
    task: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(300))
    n: Mapped[int]
    created: Mapped[float] = mapped_column(default=time.time)
    details: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)


class Job(Base):
    """Work for a child process: a run, the check of an upload, a batch of predictions.

    ``lane`` is ``train`` (one at a time on a machine) or ``quick`` (beside it). The database is the truth: the child
    writes the terminal state itself, fenced by ``attempt``; a lease that ran out makes the job ``interrupted``.
    """

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(30))
    lane: Mapped[str] = mapped_column(String(10))
    owner: Mapped[str] = mapped_column(String(200), index=True)
    project_id: Mapped[str | None] = mapped_column(String(16), index=True)
    state: Mapped[str] = mapped_column(String(12), default=QUEUED)
    input: Mapped[dict[str, Any]] = mapped_column(default=dict)
    output: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]  # {code, sentence: {text, params}, file, row}
    progress: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    created: Mapped[float] = mapped_column(default=time.time)
    started: Mapped[float | None]
    finished: Mapped[float | None]
    heartbeat: Mapped[float | None]
    worker: Mapped[str | None] = mapped_column(String(120))  # host:pid:start of the worker that holds the lease
    pid: Mapped[int | None]
    pid_started: Mapped[float | None]
    reached: Mapped[float] = mapped_column(default=0.0, server_default="0")  # the best share of any lost attempt
    fruitless: Mapped[int] = mapped_column(default=0, server_default="0")  # attempts lost since without getting further
    subject: Mapped[str | None] = mapped_column(String(80))  # what only one job at a time may work on: `subjects`
    __table_args__ = (
        Index("ix_jobs_queue", "state", "lane", "created"),
        # Of two workers that claim two jobs of one subject at the same moment, the database refuses one.
        Index("ix_jobs_subject", "subject", unique=True, sqlite_where=_IS_RUNNING, postgresql_where=_IS_RUNNING),
    )


class Run(Base):
    """One experiment: what was asked, planned and found. Its job has the same id.

    Its files lie in ``files``, a folder below ``runs/<id>`` that the attempt which made them committed; directly in
    ``runs/<id>`` where ``files`` is null: nothing is committed yet, or by a version that kept them there. The report's
    ``bundle`` is the bundle's name there.
    """

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    project_id: Mapped[str | None] = mapped_column(String(16), index=True)
    owner: Mapped[str] = mapped_column(String(200), index=True)
    name: Mapped[str] = mapped_column(String(200))
    task: Mapped[str] = mapped_column(String(60))
    dataset: Mapped[str | None] = mapped_column(String(32))
    spec: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any] | None]
    report: Mapped[dict[str, Any] | None]
    files: Mapped[str | None] = mapped_column(String(60))
    created: Mapped[float] = mapped_column(default=time.time)
    data_deleted: Mapped[float | None]  # when its owner deleted the data that it was made from


class Point(Base):
    """One point of a training curve; written again with the same key after a resume, never twice."""

    __tablename__ = "points"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run_id: Mapped[str] = mapped_column(String(16), index=True)
    arm: Mapped[str] = mapped_column(String(12))  # transfer | twin
    seed: Mapped[int]
    trial: Mapped[str] = mapped_column(String(24))  # "final", or the learning rate being tried
    phase: Mapped[int]
    epoch: Mapped[int]
    seconds: Mapped[float]  # of this arm, seed and trial so far
    values: Mapped[dict[str, Any]]  # {"train_loss": …, "validation_accuracy": …}
    __table_args__ = (UniqueConstraint("run_id", "arm", "seed", "trial", "phase", "epoch"),)


class Model(Base):
    """A model published to the library; its bundle is ``models/<id>.zip``."""

    __tablename__ = "models"
    id: Mapped[str] = mapped_column(String(16), primary_key=True, default=new_id)
    owner: Mapped[str] = mapped_column(String(200), index=True)
    name: Mapped[str] = mapped_column(String(200))
    task: Mapped[str] = mapped_column(String(60))
    run_id: Mapped[str | None] = mapped_column(String(16))
    about: Mapped[dict[str, Any]]  # labels, scores with intervals, verdict, licence, size
    created: Mapped[float] = mapped_column(default=time.time)
