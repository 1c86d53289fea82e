"""People who sign in have a row each, and an e-mail address that owns rows is one owner in whatever case it came."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_OWNED = ("projects", "datasets", "jobs", "runs", "models")


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("iss", sa.String(length=500), nullable=False),
        sa.Column("sub", sa.String(length=500), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("iss", "sub", name="uq_users_iss_sub"),
        sa.UniqueConstraint("owner", name="uq_users_owner"),
    )
    connection = op.get_bind()
    for table in _OWNED:
        owners = connection.scalars(sa.text(f"select distinct owner from {table} where owner like '%@%'")).all()
        for owner in owners:
            names = {"old": owner, "new": "".join(one.lower() if one.isascii() else one for one in owner)}
            if names["old"] == names["new"]:
                continue
            if table == "datasets":  # a row for each fingerprint and owner: the one that is there stays
                connection.execute(
                    sa.text(
                        "delete from datasets where owner = :old"
                        " and fingerprint in (select fingerprint from datasets where owner = :new)"
                    ),
                    names,
                )
            connection.execute(sa.text(f"update {table} set owner = :new where owner = :old"), names)


def downgrade() -> None:
    op.drop_table("users")
