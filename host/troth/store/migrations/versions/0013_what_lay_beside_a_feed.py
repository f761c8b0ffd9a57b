"""What lay beside a feed's documents and was found to hold"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "feeds", sa.Column("proof", sa.String(length=128), nullable=False, server_default="")
    )
