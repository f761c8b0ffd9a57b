"""Of what kind a unit is: a million are judged again without a question for each"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("heads", sa.Column("set_digest", sa.LargeBinary(length=32), nullable=True))
    for name in ("given", "skew", "forks", "regressions", "reports", "boots"):
        op.add_column("heads", sa.Column(name, number, nullable=True))
    op.add_column("heads", sa.Column("kind", sa.LargeBinary(length=16), nullable=True))
