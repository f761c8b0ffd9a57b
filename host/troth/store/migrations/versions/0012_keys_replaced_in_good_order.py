"""Keys that were replaced in good order, and those whose operator wants it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    instant = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column(
        "keys", sa.Column("retired", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "rotations",
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("asked", instant, nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_rotations_device")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_rotations")),
    )
