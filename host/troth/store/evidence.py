"""Challenges, reports and refusals: one outcome per challenge, in the transaction that spends it.

Messages are told apart by their session, never by a hash of token or signature: ES256 signatures
are malleable (THREATS F7a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Connection, Row

from ..core.claims import Token
from ..core.freshness import Challenge
from ..core.verdict import State
from . import audit, intervals, schema
from .changes import Accepted, Recorded, Refused, Spent
from .rows import ChallengeRow, EvidenceRow, RejectionRow, SetRow

_challenges, _sets = schema.challenges, schema.claims_sets
_evidence, _rejections, _heads = schema.evidence, schema.rejections, schema.heads
_devices = schema.devices

KEPT_OF_REJECTED = 4096  # bytes
KEPT_OF_TEXT = 500  # characters
_MANY = 500  # sessions in one question

_SPEND = (
    update(_challenges)
    .where(_challenges.c.session == bindparam("the_session"))
    .values(spent_at=bindparam("at"), spent_by=bindparam("by"), answer=bindparam("the_answer"))
)
_KEEP_SET = upsert(_sets).on_conflict_do_nothing()
_new_head = upsert(_heads)
_MOVE_HEAD = _new_head.on_conflict_do_update(
    index_elements=["device"],
    set_={name: _new_head.excluded[name] for name in ("evidence", "seen", "until")},
)


def issue(conn: Connection, challenges: Sequence[Challenge]) -> Sequence[None]:
    """Remember challenges; with others' beside them, in one statement."""
    conn.execute(
        insert(_challenges),
        [
            {
                "session": challenge.session,
                "nonce": challenge.nonce,
                "issued": challenge.issued,
                "expires": challenge.expires,
            }
            for challenge in challenges
        ],
    )
    return [None] * len(challenges)


def challenge(conn: Connection, session: str) -> ChallengeRow | None:
    row = conn.execute(select(_challenges).where(_challenges.c.session == session)).one_or_none()
    if row is None:
        return None
    made = Challenge(row.session, row.nonce, row.issued, row.expires, row.spent_at is not None)
    return ChallengeRow(made, row.spent_at, row.spent_by, row.answer)


def drop_challenge(conn: Connection, session: str) -> bool:
    return conn.execute(delete(_challenges).where(_challenges.c.session == session)).rowcount == 1


def prune_challenges(conn: Connection, before: int) -> int:
    return conn.execute(delete(_challenges).where(_challenges.c.expires < before)).rowcount


def record(
    conn: Connection, changes: Sequence[Accepted | Refused], memory: intervals.Memory
) -> list[Recorded | Spent]:
    """Write outcomes in their order; whose challenge is gone writes nothing."""
    return _Transaction.begin(conn, changes, memory).run(changes)


@dataclass(slots=True)
class _Transaction:
    """One gathering of outcomes: decided row by row, written table by table."""

    conn: Connection
    spent: dict[str, Spent | None]  # None: open
    answers: intervals.Changes
    next_evidence: int
    next_rejection: int
    spending: list[dict[str, Any]]
    sets: list[dict[str, Any]]
    reports: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    heads: dict[str, dict[str, Any]]
    leaves: list[audit.Leaf]

    @classmethod
    def begin(
        cls,
        conn: Connection,
        changes: Sequence[Accepted | Refused],
        memory: intervals.Memory,
    ) -> _Transaction:
        last = conn.execute(
            select(
                select(func.max(_evidence.c.id)).scalar_subquery(),
                select(func.max(_rejections.c.id)).scalar_subquery(),
            )
        ).one()
        return cls(
            conn,
            _spent(conn, [change.session for change in changes if change.session is not None]),
            intervals.Changes.begin(conn, memory),
            (last[0] or 0) + 1,
            (last[1] or 0) + 1,
            [],
            [],
            [],
            [],
            {},
            [],
        )

    def run(self, changes: Sequence[Accepted | Refused]) -> list[Recorded | Spent]:
        outcomes = [self._one(change) for change in changes]
        if self.spending:
            self.conn.execute(_SPEND, self.spending)
        if self.sets:
            self.conn.execute(_KEEP_SET, self.sets)
        if self.reports:
            self.conn.execute(insert(_evidence), self.reports)
        if self.refusals:
            self.conn.execute(insert(_rejections), self.refusals)
        if self.heads:
            self.conn.execute(_MOVE_HEAD, list(self.heads.values()))
        self.answers.write(self.conn)
        audit.append_many(self.conn, self.leaves)
        return outcomes

    def _one(self, change: Accepted | Refused) -> Recorded | Spent:
        if change.session is not None:
            before = self.spent.get(change.session, Spent(None, None))
            if before is not None:
                return before
            self._spend(change.session, change)
        if isinstance(change, Accepted):
            return self._accept(change)
        return self._refuse(change)

    def _spend(self, session: str, change: Accepted | Refused) -> None:
        self.spent[session] = Spent(change.spent_by, change.answer)
        self.spending.append(
            {
                "the_session": session,
                "at": change.received if isinstance(change, Accepted) else change.at,
                "by": change.spent_by,
                "the_answer": change.answer,
            }
        )

    def _accept(self, change: Accepted) -> Recorded:
        ident = self.next_evidence
        self.next_evidence += 1
        token, verdict, at = change.token, change.verdict, change.received
        if change.claims_set is not None:
            self.sets.append(
                {"digest": token.set_digest, "raw": change.claims_set, "first_seen": at}
            )
        self.reports.append(
            {
                "id": ident,
                "device": verdict.device,
                "key_id": change.key_id,
                "epoch": change.epoch,
                "session": change.session,
                "received": at,
                "raw": change.raw,
                "set_digest": token.set_digest,
                "uptime_s": token.uptime_s,
                "boot_count": token.boot_count,
                "boot_seed": token.boot_seed,
                "issued_at": token.issued_at,
                "state": verdict.state.value,
            }
        )
        self.heads[verdict.device] = {
            "device": verdict.device,
            "evidence": ident,
            "seen": at,
            "until": verdict.until,
        }
        changed = self.answers.add(
            self.conn,
            verdict,
            change.subjects,
            at=at,
            evidence=ident,
            words=(token.set_digest, change.references),
        )
        detail = f"{ident} {change.spent_by.hex()}"
        self.leaves.append((at, "ingest", "evidence.accepted", verdict.device, detail))
        return Recorded(ident, changed)

    def _refuse(self, change: Refused) -> Recorded:
        ident = self.next_rejection
        self.next_rejection += 1
        self.refusals.append(
            {
                "id": ident,
                "at": change.at,
                "device": change.device,
                "key_id": change.key_id,
                "session": change.session,
                "code": change.code,
                "path": change.path,
                "offset": change.offset,
                "text": change.text[:KEPT_OF_TEXT],
                "raw": change.raw[:KEPT_OF_REJECTED],
            }
        )
        subject = change.device or "-"
        self.leaves.append(
            (change.at, "ingest", "evidence.rejected", subject, f"{ident} {change.code}")
        )
        return Recorded(ident)


def _spent(conn: Connection, sessions: list[str]) -> dict[str, Spent | None]:
    """For each session that we know: None when it is open, else what spent it."""
    found: dict[str, Spent | None] = {}
    for start in range(0, len(sessions), _MANY):
        rows = conn.execute(
            select(
                _challenges.c.session,
                _challenges.c.spent_at,
                _challenges.c.spent_by,
                _challenges.c.answer,
            ).where(_challenges.c.session.in_(sessions[start : start + _MANY]))
        )
        for session, spent_at, spent_by, answer in rows:
            found[session] = None if spent_at is None else Spent(spent_by, answer)
    return found


def add_set(conn: Connection, digest: bytes, raw: bytes, at: int) -> None:
    conn.execute(_KEEP_SET, {"digest": digest, "raw": raw, "first_seen": at})


# --- reading --------------------------------------------------------------------------------


def one(conn: Connection, ident: int) -> EvidenceRow | None:
    row = conn.execute(select(_evidence).where(_evidence.c.id == ident)).one_or_none()
    return None if row is None else _report(row)


def of(
    conn: Connection, device: str, limit: int, before: int | None, since: int | None
) -> tuple[EvidenceRow, ...]:
    asked = select(_evidence).where(_evidence.c.device == device)
    if before is not None:
        asked = asked.where(_evidence.c.id < before)
    if since is not None:
        asked = asked.where(_evidence.c.received >= since)
    rows = conn.execute(asked.order_by(_evidence.c.id.desc()).limit(limit))
    return tuple(_report(row) for row in rows)


def latest(conn: Connection, device: str, as_of: int | None) -> EvidenceRow | None:
    asked = select(_evidence).where(_evidence.c.device == device)
    if as_of is not None:
        asked = asked.where(_evidence.c.received <= as_of)
    row = conn.execute(asked.order_by(_evidence.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _report(row)


def tokens(conn: Connection, device: str, epoch: int) -> list[tuple[Token, int]]:
    rows = conn.execute(
        select(
            _evidence.c.uptime_s,
            _evidence.c.boot_count,
            _evidence.c.boot_seed,
            _evidence.c.set_digest,
            _evidence.c.issued_at,
            _evidence.c.received,
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
            ),
            received,
        )
        for uptime_s, boot_count, boot_seed, set_digest, issued_at, received, ueid in rows
    ]


def claims_set(conn: Connection, digest: bytes) -> SetRow | None:
    row = conn.execute(select(_sets).where(_sets.c.digest == digest)).one_or_none()
    return None if row is None else SetRow(*row)


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


def _report(row: Row[Any]) -> EvidenceRow:
    return EvidenceRow(**{**row._mapping, "state": State(row.state)})
