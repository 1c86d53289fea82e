"""What an upload adds to the content of a dataset lies in its owner's row; a run knows when its data were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.add_column(sa.Column("details", sa.JSON(), nullable=True))
    # The folder holds the details of whoever confirmed the data first; theirs stay there, the others get none.
    op.execute(
        "update datasets set details = '{}' where exists (select 1 from datasets as other where"
        " other.fingerprint = datasets.fingerprint"
        " and (other.created, other.owner) < (datasets.created, datasets.owner))"
    )
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("data_deleted", sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("runs", schema=None) as batch_op:
        batch_op.drop_column("data_deleted")
    with op.batch_alter_table("datasets", schema=None) as batch_op:
        batch_op.drop_column("details")
