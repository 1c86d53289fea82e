"""A dataset may be confirmed by several people: one row for each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_COLUMNS = ("fingerprint", "owner", "task", "name", "n", "created")


def upgrade() -> None:
    _rebuild("fingerprint", "owner")


def downgrade() -> None:
    # One row a fingerprint again: whoever confirmed it first keeps it.
    op.execute(
        "delete from datasets where exists (select 1 from datasets as other where"
        " other.fingerprint = datasets.fingerprint"
        " and (other.created, other.owner) < (datasets.created, datasets.owner))"
    )
    _rebuild("fingerprint")


def _rebuild(*key: str) -> None:
    """The same rows under another primary key. SQLite cannot change one, and names differ elsewhere: a new table."""
    op.rename_table("datasets", "datasets_before")
    op.drop_index("ix_datasets_owner", table_name="datasets_before")
    op.create_table(
        "datasets",
        sa.Column("fingerprint", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("task", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        # PostgreSQL keeps the old table's name of its key, so this one gets a name of its own.
        sa.PrimaryKeyConstraint(*key, name="_".join(("pk_datasets", *key))),
    )
    columns = ", ".join(_COLUMNS)
    op.execute(f"insert into datasets ({columns}) select {columns} from datasets_before")
    op.drop_table("datasets_before")
    op.create_index("ix_datasets_owner", "datasets", ["owner"], unique=False)
