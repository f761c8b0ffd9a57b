"""From when on everybody was judged by which rules: a duty set no longer names their text

Its digest is another than before for every set, so that everybody is judged again and the first
row of what is kept now is written then.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0011"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REFUSE = "BEGIN SELECT RAISE(ABORT, 'history is never overwritten'); END"


def upgrade() -> None:
    op.drop_table("judged")
    op.create_table(
        "judged",
        sa.Column("id", _ID, nullable=False),
        sa.Column("at", _ID, nullable=False),
        sa.Column("catalogue", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("generation", _ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judged")),
    )
    if op.get_bind().dialect.name == "sqlite":
        columns = ("id", "at", "catalogue", "policy")
        touched = " OR ".join(f'NEW."{name}" IS NOT OLD."{name}"' for name in columns)
        op.execute(
            f"CREATE TRIGGER judged_no_update BEFORE UPDATE ON judged WHEN {touched} {_REFUSE}"
        )
        op.execute(f"CREATE TRIGGER judged_no_delete BEFORE DELETE ON judged {_REFUSE}")
