"""A duty set is kept once, by its digest, and not again with every state of every unit"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

_REFUSE = "BEGIN SELECT RAISE(ABORT, 'history is never overwritten'); END"


def upgrade() -> None:
    op.create_table(
        "duty_sets",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("regimes", sa.Text(), nullable=False),
        sa.Column("mandatory", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_duty_sets")),
    )
    op.execute(
        "INSERT INTO duty_sets SELECT duty_set, min(regimes), min(mandatory) FROM states "
        "GROUP BY duty_set"
    )
    failing = sa.text("\"to\" IS NULL AND outcome = 'not-met'")
    op.create_index(
        "ix_verdicts_failing",
        "verdicts",
        ["subject_kind", "subject", "duty"],
        sqlite_where=failing,
        postgresql_where=failing,
    )
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TRIGGER states_close_once")
    for name in ("regimes", "mandatory"):
        op.drop_column("states", name)
    if sqlite:
        columns = ("id", "device", "state", "duty_set", "failing", "subjects", "evidence", "since")
        touched = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in columns)
        op.execute(
            "CREATE TRIGGER states_close_once BEFORE UPDATE ON states "
            f'WHEN OLD."to" IS NOT NULL OR NEW."to" IS NULL OR {touched} {_REFUSE}'
        )
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER duty_sets_no_{verb.lower()} BEFORE {verb} ON duty_sets {_REFUSE}"
            )
