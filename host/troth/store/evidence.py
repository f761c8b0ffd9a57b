"""Challenges, reports and refusals: one outcome per challenge, in the transaction that spends it.

Messages are told apart by their session, never by a hash of token or signature: ES256 signatures
are malleable (THREATS F7a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.engine import Connection

from ..core.claims import Token
from ..core.freshness import Challenge, Freshness
from ..core.verdict import State
from . import audit, epochs, intervals, kinds, schema
from .bulk import Row, ask, each, insert_rows
from .changes import Accepted, Recorded, Refused, Spent
from .memory import Memory
from .rows import ChallengeRow, Counted, EvidenceRow, RejectionRow, SetRow

_challenges, _sets = schema.challenges, schema.claims_sets
_evidence, _rejections, _heads = schema.evidence, schema.rejections, schema.heads
_devices = schema.devices

KEPT_OF_REJECTED = 4096  # bytes
KEPT_OF_TEXT = 500  # characters

_SPEND = (
    "UPDATE challenges SET spent_at = v.column2, spent_by = v.column3, answer = v.column4 "
    "FROM (VALUES {values}) AS v WHERE challenges.session = v.column1"
)
_NOT_OPEN = (
    "SELECT v.column1, c.spent_by, c.answer FROM (VALUES {values}) AS v "
    "LEFT JOIN challenges AS c ON c.session = v.column1 "
    "WHERE c.session IS NULL OR c.spent_at IS NOT NULL"
)
_MOVE_HEAD = (
    "ON CONFLICT (device) DO UPDATE SET evidence = excluded.evidence, seen = excluded.seen, "
    "until = excluded.until, set_digest = excluded.set_digest, given = excluded.given, "
    "skew = excluded.skew, forks = excluded.forks, regressions = excluded.regressions, "
    "reports = excluded.reports, boots = excluded.boots, kind = CASE WHEN "
    "heads.set_digest = excluded.set_digest AND heads.forks = excluded.forks "
    "AND heads.regressions = excluded.regressions THEN heads.kind END"
)
_UNKNOWN = (None,) * 6
_ONCE = "ON CONFLICT DO NOTHING"
_COUNTS = _evidence.c.freshness != Freshness.LATE.value
_LATE = text("freshness = 'late'")  # spelled as its index is, or SQLite would not use it


def issue(conn: Connection, challenges: Sequence[Challenge]) -> Sequence[None]:
    """Remember challenges, those of others beside them in one statement."""
    rows = [(c.session, c.nonce, c.issued, c.expires, None, None, None, c.ueid) for c in challenges]
    insert_rows(conn, _challenges, rows)
    return [None] * len(challenges)


def challenge(conn: Connection, session: str) -> ChallengeRow | None:
    row = conn.execute(select(_challenges).where(_challenges.c.session == session)).one_or_none()
    if row is None:
        return None
    spent = row.spent_at is not None
    made = Challenge(row.session, row.nonce, row.issued, row.expires, spent, row.ueid)
    return ChallengeRow(made, row.spent_at, row.spent_by, row.answer)


def drop_challenge(conn: Connection, session: str) -> bool:
    return conn.execute(delete(_challenges).where(_challenges.c.session == session)).rowcount == 1


def prune_challenges(conn: Connection, before: int) -> int:
    return conn.execute(delete(_challenges).where(_challenges.c.expires < before)).rowcount


def record(
    conn: Connection, changes: Sequence[Accepted | Refused], memory: Memory
) -> list[Recorded | Spent]:
    """Write outcomes in their order; whose challenge is gone writes nothing."""
    return _Transaction.begin(conn, changes, memory).run(changes)


@dataclass(slots=True)
class _Transaction:
    """One gathering of outcomes: decided row by row, written table by table."""

    conn: Connection
    # sessions that are not open (any more), some only since a change that came before
    spent: dict[str, Spent | Accepted | Refused]
    answers: intervals.Changes
    order: epochs.Order
    next_evidence: int
    next_rejection: int
    spending: list[Row] = field(default_factory=list)
    sets: list[Row] = field(default_factory=list)
    reports: list[Row] = field(default_factory=list)
    refusals: list[Row] = field(default_factory=list)
    heads: dict[str, Row] = field(default_factory=dict)
    late: list[str] = field(default_factory=list)  # whose count is another than its head says
    leaves: list[audit.Leaf] = field(default_factory=list)

    @classmethod
    def begin(
        cls,
        conn: Connection,
        changes: Sequence[Accepted | Refused],
        memory: Memory,
    ) -> _Transaction:
        numbers = memory.begin(conn)
        return cls(
            conn,
            _not_open(conn, [change.session for change in changes if change.session is not None]),
            intervals.Changes.begin(conn, memory),
            epochs.Order.begin(conn, changes),
            numbers[0],
            numbers[1],
        )

    def run(self, changes: Sequence[Accepted | Refused]) -> list[Recorded | Spent]:
        outcomes = [self._one(change) for change in changes]
        each(self.conn, _SPEND, self.spending)
        insert_rows(self.conn, _sets, self.sets, _ONCE)
        insert_rows(self.conn, _evidence, self.reports)
        insert_rows(self.conn, _rejections, self.refusals)
        insert_rows(self.conn, _heads, list(self.heads.values()), _MOVE_HEAD)
        kinds.recount(self.conn, self.late)
        self.answers.write(self.conn)
        memory = self.answers.memory
        memory.leaf = audit.append_many(self.conn, self.leaves, after=memory.leaf)
        if memory.numbers is not None:
            memory.numbers[:2] = (self.next_evidence, self.next_rejection)
        return outcomes

    def _one(self, change: Accepted | Refused) -> Recorded | Spent:
        if change.session is not None:
            gone = self.spent.get(change.session)
            if gone is not None:
                return Spent(gone.spent_by, gone.answer)
            at = change.received if isinstance(change, Accepted) else change.at
            self.spent[change.session] = change
            self.spending.append((change.session, at, change.spent_by, change.answer))
        elif isinstance(change, Accepted):
            before = self.order.before(change)
            if before is not None:
                return before
        if isinstance(change, Accepted):
            return self._accept(change)
        return self._refuse(change)

    def _accept(self, change: Accepted) -> Recorded:
        ident = self.next_evidence
        self.next_evidence += 1
        token, verdict, at = change.token, change.verdict, change.received
        late = change.handle is not None and self.order.is_late(change)
        if change.claims_set is not None:
            self.sets.append((token.set_digest, change.claims_set, at))
        self.reports.append(
            (
                ident,
                verdict.device,
                change.key_id,
                change.epoch,
                change.session or epochs.named(change.handle),
                at,
                change.raw,
                token.set_digest,
                token.uptime_s,
                token.boot_count,
                token.boot_seed,
                token.issued_at,
                str(verdict.state),
                token.counter,
                "late" if late else str(change.freshness),
                change.given,
            )
        )
        detail = f"{ident} {change.spent_by.hex()}"
        if late:  # it moves nothing: what the device is now was said by something newer
            self.leaves.append((at, "ingest", "evidence.late", verdict.device, detail))
            self.late.append(verdict.device)
            return Recorded(ident, late=True)
        self.order.take(change)
        count = (token.set_digest, *self._counted(change), None)
        self.heads[verdict.device] = (verdict.device, ident, at, verdict.until, *count)
        changed = self.answers.add(
            self.conn,
            verdict,
            change.subjects,
            at=at,
            evidence=ident,
            words=(token.set_digest, change.references),
        )
        self.leaves.append((at, "ingest", "evidence.accepted", verdict.device, detail))
        return Recorded(ident, changed)

    def _counted(self, change: Accepted) -> Sequence[int | None]:
        """What was counted, unless something else was counted meanwhile: reports may cross."""
        key, count, memory = change.key_id, change.counted, self.answers.memory
        if count is None:
            return _UNKNOWN
        before = memory.counted.get(key, -1)
        memory.counted[key] = max(before, count.after)
        if not count.plain or count.after <= before or count.foreign != memory.foreign:
            return _UNKNOWN
        return count[:6]

    def _refuse(self, change: Refused) -> Recorded:
        ident = self.next_rejection
        self.next_rejection += 1
        self.refusals.append(
            (
                ident,
                change.at,
                change.device,
                change.key_id,
                change.session,
                change.code,
                change.path,
                change.offset,
                change.text[:KEPT_OF_TEXT],
                change.raw[:KEPT_OF_REJECTED],
            )
        )
        subject = change.device or "-"
        self.leaves.append(
            (change.at, "ingest", "evidence.rejected", subject, f"{ident} {change.code}")
        )
        return Recorded(ident)


def _not_open(conn: Connection, sessions: list[str]) -> dict[str, Spent | Accepted | Refused]:
    """Of these sessions those that are spent, by what, and those that are none of ours."""
    asked = [(session,) for session in sessions]
    return {name: Spent(by, answer) for name, by, answer in ask(conn, _NOT_OPEN, asked)}


# --- reading --------------------------------------------------------------------------------


def one(conn: Connection, ident: int) -> EvidenceRow | None:
    row = conn.execute(select(_evidence).where(_evidence.c.id == ident)).one_or_none()
    return None if row is None else _report(row)


def of(
    conn: Connection,
    device: str,
    limit: int,
    before: int | None,
    since: int | None,
    late: bool | None,
) -> tuple[EvidenceRow, ...]:
    asked = select(_evidence).where(_evidence.c.device == device)
    if late is not None:
        asked = asked.where(_LATE if late else _COUNTS)
    if before is not None:
        asked = asked.where(_evidence.c.id < before)
    if since is not None:
        asked = asked.where(_evidence.c.received >= since)
    rows = conn.execute(asked.order_by(_evidence.c.id.desc()).limit(limit))
    return tuple(_report(row) for row in rows)


def counted(conn: Connection, device: str, limit: int) -> tuple[Counted, ...]:
    e = _evidence.c
    asked = select(e.epoch, e.boot_count, e.boot_seed, e.counter, e.received, e.raw)
    mine = asked.where(e.device == device, e.counter.is_not(None))
    return tuple(map(Counted._make, conn.execute(mine.order_by(e.id.desc()).limit(limit))))


def latest(conn: Connection, device: str, as_of: int | None) -> EvidenceRow | None:
    asked = select(_evidence).where(_evidence.c.device == device, _COUNTS)
    if as_of is not None:
        asked = asked.where(_evidence.c.received <= as_of)
    row = conn.execute(asked.order_by(_evidence.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _report(row)


def tokens(conn: Connection, device: str, epoch: int) -> list[tuple[Token, int, Freshness, int]]:
    rows = conn.execute(
        select(
            _evidence.c.uptime_s,
            _evidence.c.boot_count,
            _evidence.c.boot_seed,
            _evidence.c.set_digest,
            _evidence.c.issued_at,
            _evidence.c.counter,
            _evidence.c.received,
            _evidence.c.freshness,
            _evidence.c.id,
            _devices.c.ueid,
        )
        .join(_devices, _devices.c.id == _evidence.c.device)
        .where(_evidence.c.device == device, _evidence.c.epoch == epoch)
        .order_by(_evidence.c.id)
    )
    return [
        (
            Token(
                ueid=bytes.fromhex(ueid),
                nonce=b"",  # spent long ago; kept in the raw bytes
                uptime_s=uptime_s,
                boot_count=boot_count,
                boot_seed=boot_seed,
                set_digest=set_digest,
                issued_at=issued_at,
                counter=counter,
            ),
            received,
            Freshness(freshness),
            row,
        )
        for (
            uptime_s,
            boot_count,
            boot_seed,
            set_digest,
            issued_at,
            counter,
            received,
            freshness,
            row,
            ueid,
        ) in rows
    ]


def claims_set(conn: Connection, digest: bytes) -> SetRow | None:
    row = conn.execute(select(_sets).where(_sets.c.digest == digest)).one_or_none()
    return None if row is None else SetRow(*row)


def last_given(conn: Connection) -> dict[str, int]:
    given = func.coalesce(_evidence.c.given, _evidence.c.received)
    asked = select(_heads.c.device, given).join(_evidence, _evidence.c.id == _heads.c.evidence)
    return {row[0]: row[1] for row in conn.execute(asked)}


def reported_sets(conn: Connection) -> tuple[bytes, ...]:
    last = select(_evidence.c.set_digest).join(_heads, _heads.c.evidence == _evidence.c.id)
    return tuple(conn.execute(last.distinct()).scalars())


def sets_of(conn: Connection, device: str) -> tuple[SetRow, ...]:
    mine = select(_evidence.c.set_digest).where(_evidence.c.device == device)
    rows = conn.execute(
        select(_sets).where(_sets.c.digest.in_(mine)).order_by(_sets.c.first_seen, _sets.c.digest)
    )
    return tuple(SetRow(*row) for row in rows)


def rejections(conn: Connection, device: str | None, limit: int) -> tuple[RejectionRow, ...]:
    asked = select(_rejections).order_by(_rejections.c.id.desc()).limit(limit)
    if device is not None:
        asked = asked.where(_rejections.c.device == device)
    return tuple(RejectionRow(**row._mapping) for row in conn.execute(asked))


def _report(row: Any) -> EvidenceRow:
    return EvidenceRow(
        **{
            **row._mapping,
            "state": State(row.state),
            "freshness": Freshness(row.freshness),
            "given": row.received if row.given is None else row.given,
        }
    )
