"""How far a job has got in any attempt, and how many attempts in a row got no further."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reached", sa.Double(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("fruitless", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("jobs", schema=None) as batch_op:
        batch_op.drop_column("fruitless")
        batch_op.drop_column("reached")
