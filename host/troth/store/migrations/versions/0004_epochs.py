"""Epoch handles, and reports that answer them: what counts once, and what is late"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "epochs",
        sa.Column("handle", sa.LargeBinary(length=32), nullable=False),
        sa.Column("issued", _ID, nullable=False),
        sa.Column("expires", _ID, nullable=False),
        sa.PrimaryKeyConstraint("handle", name=op.f("pk_epochs")),
    )
    op.create_index(op.f("ix_epochs_expires"), "epochs", ["expires"])
    # one by one: a rebuilt table would lose the triggers that guard its history
    op.add_column("evidence", sa.Column("counter", _ID))
    op.add_column(
        "evidence",
        sa.Column("freshness", sa.String(length=9), nullable=False, server_default="challenge"),
    )
    op.add_column("evidence", sa.Column("given", _ID))
    op.create_index(
        "uq_evidence_epoch",
        "evidence",
        ["device", "session", "boot_count", "counter"],
        unique=True,
        sqlite_where=sa.text("freshness <> 'challenge'"),
        postgresql_where=sa.text("freshness <> 'challenge'"),
    )
    op.create_index(
        "ix_evidence_late",
        "evidence",
        ["device", "id"],
        sqlite_where=sa.text("freshness = 'late'"),
        postgresql_where=sa.text("freshness = 'late'"),
    )
