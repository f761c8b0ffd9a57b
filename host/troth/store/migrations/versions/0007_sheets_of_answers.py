"""Answers that many units are told alike are kept once, on a sheet; a unit holds one at a time"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'history is never overwritten'); END"


def upgrade() -> None:
    op.create_table(
        "sheets",
        sa.Column("id", _ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("failing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sheets")),
        sa.UniqueConstraint("digest", name=op.f("uq_sheets_digest")),
    )
    op.create_table(
        "holdings",
        sa.Column("id", _ID, nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("sheet", _ID, nullable=False),
        sa.Column("evidence", _ID, nullable=True),
        sa.Column("since", _ID, nullable=False),
        sa.Column("to", _ID, nullable=True),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_holdings_device")),
        sa.ForeignKeyConstraint(["evidence"], ["evidence.id"], name=op.f("fk_holdings_evidence")),
        sa.ForeignKeyConstraint(["sheet"], ["sheets.id"], name=op.f("fk_holdings_sheet")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holdings")),
    )
    with op.batch_alter_table("holdings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_holdings_device_since"), ["device", "since"])
        batch_op.create_index(
            "uq_holdings_open",
            ["device"],
            unique=True,
            sqlite_where=sa.text('"to" IS NULL'),
            postgresql_where=sa.text('"to" IS NULL'),
        )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER sheets_no_{verb.lower()} BEFORE {verb} ON sheets {_REFUSE}")
        columns = ("id", "device", "sheet", "evidence", "since")
        touched = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in columns)
        op.execute(
            "CREATE TRIGGER holdings_close_once BEFORE UPDATE ON holdings "
            f'WHEN OLD."to" IS NOT NULL OR NEW."to" IS NULL OR {touched} {_REFUSE}'
        )
        op.execute(f"CREATE TRIGGER holdings_no_delete BEFORE DELETE ON holdings {_REFUSE}")
