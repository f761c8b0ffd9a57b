"""The tables, defined once for SQLite now and PostgreSQL later, and what may never change in them.

Instants are unix seconds. An interval is closed once and never rewritten; evidence, rejections,
records and the audit chain only grow: triggers (made by the migrations) hold it even against a
hand on the database.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite numbers rows only under INTEGER; PostgreSQL wants room for more
_ID = BigInteger().with_variant(Integer, "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="single"), primary_key=True),
    Column("generation", _ID, nullable=False),
)

devices = Table(
    "devices",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(128), nullable=False, unique=True),
    Column("ueid", String(66), nullable=False, unique=True),
    Column("mac", String(12), unique=True),
    Column("model", String(64)),
    Column("chip", String(16)),
    Column("lifecycle", String(16), nullable=False),
    Column("market", String(16)),
    Column("product_class", String(16)),
    Column("own_use", Boolean, nullable=False),
    Column("placed_on_market", _ID),
    Column("monitoring_optout", Boolean, nullable=False),
    Column("site", String(128)),
    Column("tags", Text, nullable=False),
    Column("created", _ID, nullable=False),
    Column("modified", _ID),  # the day of its last substantial modification
)

keys = Table(
    "keys",
    metadata,
    Column("kid", LargeBinary(8), primary_key=True),
    Column("device", String(32), ForeignKey("devices.id"), nullable=False, index=True),
    Column("public_key", LargeBinary(64), unique=True),  # a MAC key has none
    Column("algorithm", Integer, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("created", _ID, nullable=False),
    Column("revoked", _ID),
    # another took its place in good order: what it signed before then is still its device's word
    Column("retired", Boolean, nullable=False, server_default=false()),
    UniqueConstraint("device", "epoch"),
    CheckConstraint("(public_key IS NOT NULL) = (algorithm = -7)", name="public_half"),
)

# whose key the operator wants replaced: the board learns it over its link
rotations = Table(
    "rotations",
    metadata,
    Column("device", String(32), ForeignKey("devices.id"), primary_key=True),
    Column("epoch", Integer, nullable=False),  # of the key that is to go
    Column("asked", _ID, nullable=False),
)

provisionings = Table(
    "provisionings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("device", String(32), ForeignKey("devices.id"), nullable=False, index=True),
    Column("at", _ID, nullable=False),
    Column("profile", String(2), nullable=False),
    Column("fuses", Text, nullable=False),
    Column("claims_digest", LargeBinary(32), nullable=False),
    Column("failing", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("model", String(64), nullable=False),
    Column("chip", String(16), nullable=False),
    Column("version", String(64), nullable=False),
    Column("released", _ID, nullable=False),
    Column("fields", Text, nullable=False),  # the other fields of the release, JSON
    Column("record", LargeBinary, nullable=False),
    Column("added", _ID, nullable=False),
    Index(None, "model", "chip"),
)

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("release", String(64), ForeignKey("releases.id"), primary_key=True),
    Column("at", _ID, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("model", String(64), nullable=False, index=True),
    Column("at", _ID, nullable=False),
    Column("support_end", _ID),
    Column("fields", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

baselines = Table(
    "baselines",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("scope", String(8), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("cfg_digest", String(64), nullable=False),
    Column("at", _ID, nullable=False),
    Column("by", String(64), nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index(None, "scope", "subject"),
)

challenges = Table(
    "challenges",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("nonce", LargeBinary(64), nullable=False),
    Column("issued", _ID, nullable=False),
    Column("expires", _ID, nullable=False, index=True),
    Column("spent_at", _ID),
    Column("spent_by", LargeBinary(32)),
    Column("answer", Text),
    Column("ueid", LargeBinary(33)),  # the device that it was drawn for, when one was named
)

# challenges for everybody, each for a while; its answers name it in the place of a session
epochs = Table(
    "epochs",
    metadata,
    Column("handle", LargeBinary(32), primary_key=True),
    Column("issued", _ID, nullable=False),
    Column("expires", _ID, nullable=False, index=True),
)

claims_sets = Table(
    "claims_sets",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("raw", LargeBinary, nullable=False),
    Column("first_seen", _ID, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("device", String(32), ForeignKey("devices.id"), nullable=False),
    Column("key_id", LargeBinary(8), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("session", String(64), nullable=False),
    Column("received", _ID, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("set_digest", LargeBinary(32), ForeignKey("claims_sets.digest"), nullable=False),
    Column("uptime_s", _ID, nullable=False),
    Column("boot_count", _ID, nullable=False),
    Column("boot_seed", LargeBinary(8), nullable=False),
    Column("issued_at", _ID),
    Column("state", String(16), nullable=False),
    Column("counter", _ID),  # tokens of this boot; older agents have none
    Column("freshness", String(9), nullable=False, server_default="challenge"),
    Column("given", _ID),  # not before; NULL: just before it was received
    Index(None, "device", "id"),
    Index(
        "ix_evidence_late",
        "device",
        "id",
        sqlite_where=text("freshness = 'late'"),
        postgresql_where=text("freshness = 'late'"),
    ),
    # everybody's challenge is answered once per boot and counter, whoever writes
    Index(
        "uq_evidence_epoch",
        "device",
        "session",
        "boot_count",
        "counter",
        unique=True,
        sqlite_where=text("freshness <> 'challenge'"),
        postgresql_where=text("freshness <> 'challenge'"),
    ),
)

rejections = Table(
    "rejections",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", _ID, nullable=False),
    Column("device", String(32), ForeignKey("devices.id"), index=True),
    Column("key_id", LargeBinary(8)),
    Column("session", String(64)),
    Column("code", String(32), nullable=False),
    Column("path", String(128), nullable=False),
    Column("offset", Integer),
    Column("text", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("subject_kind", String(8), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("duty", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(16)),
    Column("because", Text, nullable=False),
    Column("assurance", String(16), nullable=False),
    Column("owed_by", String(16)),
    Column("owed_because", Text, nullable=False),
    Column("remedy", Text, nullable=False),
    Column("until", _ID),
    Column("evidence", _ID, ForeignKey("evidence.id")),
    Column("since", _ID, nullable=False),
    Column("to", _ID),
    Index(None, "subject_kind", "subject", "duty", "since"),
    Index(
        "ix_verdicts_failing",
        "subject_kind",
        "subject",
        "duty",
        sqlite_where=text("\"to\" IS NULL AND outcome = 'not-met'"),
        postgresql_where=text("\"to\" IS NULL AND outcome = 'not-met'"),
    ),
    # one open answer per duty and subject, whoever writes
    Index(
        "uq_verdicts_open",
        "subject_kind",
        "subject",
        "duty",
        unique=True,
        sqlite_where=text('"to" IS NULL'),
        postgresql_where=text('"to" IS NULL'),
    ),
)

# what a unit's own answers say, all of them at once: most units are told the same
sheets = Table(
    "sheets",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("answers", Text, nullable=False),
    Column("failing", Boolean, nullable=False),  # is any of them not met?
)

# which unit is told which sheet, and from when to when
holdings = Table(
    "holdings",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("device", String(32), ForeignKey("devices.id"), nullable=False),
    Column("sheet", _ID, ForeignKey("sheets.id"), nullable=False),
    Column("evidence", _ID, ForeignKey("evidence.id")),
    Column("since", _ID, nullable=False),
    Column("to", _ID),
    Index(None, "device", "since"),
    Index(
        "ix_holdings_told",
        "sheet",
        sqlite_where=text('"to" IS NULL'),
        postgresql_where=text('"to" IS NULL'),
    ),
    Index(
        "uq_holdings_open",
        "device",
        unique=True,
        sqlite_where=text('"to" IS NULL'),
        postgresql_where=text('"to" IS NULL'),
    ),
)

# the duties that bind a unit, by their digest: most units are bound by the same
duty_sets = Table(
    "duty_sets",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("regimes", Text, nullable=False),
    Column("mandatory", Text, nullable=False),
)

states = Table(
    "states",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("device", String(32), ForeignKey("devices.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("duty_set", String(64), nullable=False),  # of duty_sets
    Column("failing", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("evidence", _ID, ForeignKey("evidence.id")),
    Column("since", _ID, nullable=False),
    Column("to", _ID),
    Index(None, "device", "since"),
    Index(
        "uq_states_open",
        "device",
        unique=True,
        sqlite_where=text('"to" IS NULL'),
        postgresql_where=text('"to" IS NULL'),
    ),
)

# the one row that moves with every report; nothing in it is history
heads = Table(
    "heads",
    metadata,
    Column("device", String(32), ForeignKey("devices.id"), primary_key=True),
    Column("evidence", _ID, nullable=False),
    Column("seen", _ID, nullable=False),
    Column("until", _ID, index=True),
    # what had been counted by then; NULL: only its whole history tells
    Column("set_digest", LargeBinary(32)),
    Column("given", _ID),
    Column("skew", _ID),
    Column("forks", _ID),
    Column("regressions", _ID),
    Column("reports", _ID),  # within the hour
    Column("boots", _ID),  # within the day
    Column("kind", LargeBinary(16)),  # of `kinds`; NULL: something changed since it was known
)

waivers = Table(
    "waivers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("duty", String(64), nullable=False),
    Column("scope", String(8), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("justification", Text, nullable=False),
    Column("ticket", String(128), nullable=False),
    Column("requested_by", String(64), nullable=False),
    Column("approved_by", String(64), nullable=False),
    Column("party", String(16), nullable=False),
    Column("compensating", Text, nullable=False),
    Column("created", _ID, nullable=False),
    Column("expires", _ID, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

# a waiver is never changed: that it was revoked, or that its day came, is a row of its own
waiver_ends = Table(
    "waiver_ends",
    metadata,
    Column("waiver", String(64), ForeignKey("waivers.id"), primary_key=True),
    Column("at", _ID, nullable=False),
    Column("how", String(8), nullable=False),
    Column("by", String(64), nullable=False),
    Column("because", Text, nullable=False),
    Column("record", LargeBinary, nullable=False),
)

# what was brought from outside: the last of a kind, source and subject counts, all are kept
feeds = Table(
    "feeds",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("source", String(128), nullable=False),
    Column("subject", String(128), nullable=False),  # a model or a release; empty: all
    Column("at", _ID, nullable=False),  # when its source was last brought up to date
    Column("items", Integer, nullable=False),
    Column("digest", String(64), nullable=False),  # of all that was read
    Column("document", LargeBinary, nullable=False),  # what was read of it, JSON, compressed
    Column("added", _ID, nullable=False),
    Column("by", String(64), nullable=False),
    Column("proof", String(128), nullable=False, server_default=""),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("title", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("flaw", String(64), nullable=False),
    Column("aware", _ID, nullable=False),
    Column("added", _ID, nullable=False),
    Column("by", String(64), nullable=False),
)

incident_steps = Table(
    "incident_steps",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("incident", String(64), nullable=False),  # empty: the register itself
    Column("step", String(16), nullable=False),
    Column("at", _ID, nullable=False),
    Column("ref", Text, nullable=False),
    Column("added", _ID, nullable=False),
    Column("by", String(64), nullable=False),
)

# by which rules and policy everybody was judged, and from when on
judged = Table(
    "judged",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", _ID, nullable=False),
    Column("catalogue", String(64), nullable=False),  # digest; empty: more than one
    Column("policy", Text, nullable=False),  # its numbers, JSON
    Column("generation", _ID, nullable=False),  # of the records, when it was last done
)

audit = Table(
    "audit",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("at", _ID, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("detail", Text, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
