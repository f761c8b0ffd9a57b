"""Keys that have no public half: a MAC key is known by its id alone, its secret is never here"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.alter_column("public_key", existing_type=sa.LargeBinary(length=64), nullable=True)
        batch_op.create_check_constraint(
            batch_op.f("ck_keys_public_half"), "(public_key IS NOT NULL) = (algorithm = -7)"
        )
