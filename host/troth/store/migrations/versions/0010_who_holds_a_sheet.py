"""Who holds a sheet is found without reading what everybody holds"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    still = sa.text('"to" IS NULL')
    op.create_index(
        "ix_holdings_told", "holdings", ["sheet"], sqlite_where=still, postgresql_where=still
    )
