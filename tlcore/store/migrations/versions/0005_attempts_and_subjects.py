"""One job at a time for each subject, and the folder of a run's files, which the attempt that made them commits."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("subject", sa.String(length=80), nullable=True))
    op.add_column("runs", sa.Column("files", sa.String(length=60), nullable=True))
    _fill()
    running = sa.text("state = 'running'")
    op.create_index("ix_jobs_subject", "jobs", ["subject"], unique=True, sqlite_where=running, postgresql_where=running)


def downgrade() -> None:
    op.drop_index("ix_jobs_subject", table_name="jobs")
    op.drop_column("runs", "files")
    op.drop_column("jobs", "subject")


def _fill() -> None:
    """The subjects of label savings that have not ended. Of two that run on one run, the first one has it."""
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "select id, state, input from jobs where kind = 'label-savings'"
            " and state in ('queued', 'running', 'interrupted') order by created, id"
        )
    ).all()
    taken = set()
    for job_id, state, asked in rows:
        asked = json.loads(asked) if isinstance(asked, str) else asked
        subject = f"label-savings:{asked.get('run')}"[:80]
        if state == "running" and subject in taken:
            continue
        if state == "running":
            taken.add(subject)
        connection.execute(sa.text("update jobs set subject = :s where id = :id"), {"s": subject, "id": job_id})
