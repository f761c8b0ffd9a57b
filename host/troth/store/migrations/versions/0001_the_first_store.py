"""The first store"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_table(
        "baselines",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("cfg_digest", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_baselines")),
    )
    with op.batch_alter_table("baselines", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_baselines_scope_subject"), ["scope", "subject"], unique=False
        )

    op.create_table(
        "challenges",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=64), nullable=False),
        sa.Column("issued", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("spent_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("spent_by", sa.LargeBinary(length=32), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("ueid", sa.LargeBinary(length=33), nullable=True),
        sa.PrimaryKeyConstraint("session", name=op.f("pk_challenges")),
    )
    with op.batch_alter_table("challenges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_challenges_expires"), ["expires"], unique=False)

    op.create_table(
        "claims_sets",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column(
            "first_seen", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_claims_sets")),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("ueid", sa.String(length=66), nullable=False),
        sa.Column("mac", sa.String(length=12), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("chip", sa.String(length=16), nullable=True),
        sa.Column("lifecycle", sa.String(length=16), nullable=False),
        sa.Column("market", sa.String(length=16), nullable=True),
        sa.Column("product_class", sa.String(length=16), nullable=True),
        sa.Column("own_use", sa.Boolean(), nullable=False),
        sa.Column(
            "placed_on_market", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("monitoring_optout", sa.Boolean(), nullable=False),
        sa.Column("site", sa.String(length=128), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("mac", name=op.f("uq_devices_mac")),
        sa.UniqueConstraint("name", name=op.f("uq_devices_name")),
        sa.UniqueConstraint("ueid", name=op.f("uq_devices_ueid")),
    )
    op.create_table(
        "meta",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "generation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_meta")),
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("chip", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("released", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("added", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
    )
    with op.batch_alter_table("releases", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_releases_model_chip"), ["model", "chip"], unique=False)

    op.create_table(
        "statements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("model", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "support_end", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_statements_model"), ["model"], unique=False)

    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.LargeBinary(length=8), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("received", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("set_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("uptime_s", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "boot_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("boot_seed", sa.LargeBinary(length=8), nullable=False),
        sa.Column("issued_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_evidence_device")),
        sa.ForeignKeyConstraint(
            ["set_digest"], ["claims_sets.digest"], name=op.f("fk_evidence_set_digest")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_device_id"), ["device", "id"], unique=False)

    op.create_table(
        "heads",
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("evidence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_heads_device")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_heads")),
    )
    with op.batch_alter_table("heads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_heads_until"), ["until"], unique=False)

    op.create_table(
        "keys",
        sa.Column("kid", sa.LargeBinary(length=8), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("public_key", sa.LargeBinary(length=64), nullable=False),
        sa.Column("algorithm", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revoked", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_keys_device")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_keys")),
        sa.UniqueConstraint("device", "epoch", name=op.f("uq_keys_device_epoch")),
        sa.UniqueConstraint("public_key", name=op.f("uq_keys_public_key")),
    )
    with op.batch_alter_table("keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_keys_device"), ["device"], unique=False)

    op.create_table(
        "provisionings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("profile", sa.String(length=2), nullable=False),
        sa.Column("fuses", sa.Text(), nullable=False),
        sa.Column("claims_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("failing", sa.Text(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_provisionings_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provisionings")),
    )
    with op.batch_alter_table("provisionings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_provisionings_device"), ["device"], unique=False)

    op.create_table(
        "rejections",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=True),
        sa.Column("key_id", sa.LargeBinary(length=8), nullable=True),
        sa.Column("session", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("path", sa.String(length=128), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_rejections_device")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejections")),
    )
    with op.batch_alter_table("rejections", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rejections_device"), ["device"], unique=False)

    op.create_table(
        "withdrawals",
        sa.Column("release", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.id"], name=op.f("fk_withdrawals_release")),
        sa.PrimaryKeyConstraint("release", name=op.f("pk_withdrawals")),
    )
    op.create_table(
        "states",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("device", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("regimes", sa.Text(), nullable=False),
        sa.Column("duty_set", sa.String(length=64), nullable=False),
        sa.Column("mandatory", sa.Text(), nullable=False),
        sa.Column("failing", sa.Text(), nullable=False),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("evidence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["device"], ["devices.id"], name=op.f("fk_states_device")),
        sa.ForeignKeyConstraint(["evidence"], ["evidence.id"], name=op.f("fk_states_evidence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_states")),
    )
    with op.batch_alter_table("states", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_states_device_since"), ["device", "since"], unique=False
        )
        batch_op.create_index(
            "uq_states_open",
            ["device"],
            unique=True,
            sqlite_where=sa.text('"to" IS NULL'),
            postgresql_where=sa.text('"to" IS NULL'),
        )

    op.create_table(
        "verdicts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject_kind", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("duty", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("assurance", sa.String(length=16), nullable=False),
        sa.Column("owed_by", sa.String(length=16), nullable=True),
        sa.Column("owed_because", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("evidence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("since", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("to", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["evidence"], ["evidence.id"], name=op.f("fk_verdicts_evidence")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdicts")),
    )
    with op.batch_alter_table("verdicts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_verdicts_subject_kind_subject_duty_since"),
            ["subject_kind", "subject", "duty", "since"],
            unique=False,
        )
        batch_op.create_index(
            "uq_verdicts_open",
            ["subject_kind", "subject", "duty"],
            unique=True,
            sqlite_where=sa.text('"to" IS NULL'),
            postgresql_where=sa.text('"to" IS NULL'),
        )
    op.execute("INSERT INTO meta (id, generation) VALUES (1, 1)")
    if op.get_bind().dialect.name == "sqlite":
        for trigger in _guards():
            op.execute(trigger)


_GROWING = (
    "provisionings",
    "releases",
    "withdrawals",
    "statements",
    "baselines",
    "claims_sets",
    "evidence",
    "rejections",
    "audit",
)
_CLOSING = ("verdicts", "states")


def _guards() -> list[str]:
    """History is never overwritten: what grows only grows, an interval is closed once."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'history is never overwritten'); END"
    said = [
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} {refuse}"
        for table in _GROWING
        for verb in ("UPDATE", "DELETE")
    ]
    for table in _CLOSING:
        columns = [column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)]
        touched = " OR ".join(
            f'NEW."{name}" IS NOT OLD."{name}"' for name in columns if name != "to"
        )
        said.append(
            f"CREATE TRIGGER {table}_close_once BEFORE UPDATE ON {table} "
            f'WHEN OLD."to" IS NOT NULL OR NEW."to" IS NULL OR {touched} {refuse}'
        )
        said.append(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {refuse}")
    return said
