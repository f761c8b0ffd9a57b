"""The day on which a unit was last substantially modified: what newer law then reaches it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    day = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("devices", sa.Column("modified", day, nullable=True))
