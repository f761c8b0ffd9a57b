"""Waivers, their ends, and by which rules everybody was last judged"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "waivers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("duty", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("justification", sa.Text(), nullable=False),
        sa.Column("ticket", sa.String(length=128), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("approved_by", sa.String(length=64), nullable=False),
        sa.Column("party", sa.String(length=16), nullable=False),
        sa.Column("compensating", sa.Text(), nullable=False),
        sa.Column("created", _ID, nullable=False),
        sa.Column("expires", _ID, nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waivers")),
    )
    op.create_table(
        "waiver_ends",
        sa.Column("waiver", sa.String(length=64), nullable=False),
        sa.Column("at", _ID, nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["waiver"], ["waivers.id"], name=op.f("fk_waiver_ends_waiver")),
        sa.PrimaryKeyConstraint("waiver", name=op.f("pk_waiver_ends")),
    )
    op.create_table(
        "judged",
        sa.Column("id", sa.Integer(), sa.CheckConstraint("id = 1", name="single"), nullable=False),
        sa.Column("rules", sa.String(length=64), nullable=False),
        sa.Column("generation", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judged")),
    )
    for table in ("waivers", "waiver_ends"):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'history is never overwritten'); END"
            )
