"""Epoch handles, and the order of the reports that answer them: each once, none out of turn.

Decided in the transaction that writes, so that it holds whatever other processes write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from ..core.freshness import LATE_S, Freshness, Handle, is_overtaken
from . import schema
from .bulk import ask
from .changes import Accepted, Refused, Spent

_epochs, _evidence, _heads = schema.epochs, schema.evidence, schema.heads


def publish(conn: Connection, made: Handle, *, period_s: int) -> Handle:
    """The handle of now: this one, unless another process was first in this period."""
    held = newest(conn)
    if held is not None and 0 <= made.issued - held.issued < period_s:
        return held
    conn.execute(delete(_epochs).where(_epochs.c.expires <= made.issued - LATE_S))
    conn.execute(
        insert(_epochs).values(handle=made.nonce, issued=made.issued, expires=made.expires)
    )
    return made


def newest(conn: Connection) -> Handle | None:
    row = conn.execute(select(_epochs).order_by(_epochs.c.issued.desc()).limit(1)).one_or_none()
    return None if row is None else Handle(*row)


def find(conn: Connection, nonce: bytes) -> Handle | None:
    row = conn.execute(select(_epochs).where(_epochs.c.handle == nonce)).one_or_none()
    return None if row is None else Handle(*row)


def held(conn: Connection, device: str, digests: frozenset[bytes]) -> dict[bytes, Freshness]:
    """Which of these a device's last reports were, by the SHA-256 of their bytes.

    Searched among the newest: who asks has just delivered them, and a spool is smaller than that.
    """
    rows = conn.execute(
        select(_evidence.c.raw, _evidence.c.freshness)
        .where(_evidence.c.device == device)
        .order_by(_evidence.c.id.desc())
        .limit(_SEARCHED)
    )
    kept = ((sha256(row.raw).digest(), Freshness(row.freshness)) for row in rows)
    return {digest: freshness for digest, freshness in kept if digest in digests}


_SEARCHED = 512

_Answer = tuple[str, str, int, int | None]  # device, handle, boot, counter
_Place = tuple[int, int, int, int | None]  # received, key epoch, boot, counter

_HEARD = (
    "SELECT e.device, e.session, e.boot_count, e.counter, e.raw FROM (VALUES {values}) AS v "
    "JOIN evidence AS e ON e.device = v.column1 AND e.session = v.column2 "
    "AND e.boot_count = v.column3 AND e.counter = v.column4 WHERE e.freshness <> 'challenge'"
)
_LAST = (
    "SELECT h.device, e.received, e.epoch, e.boot_count, e.counter FROM (VALUES {values}) AS v "
    "JOIN heads AS h ON h.device = v.column1 JOIN evidence AS e ON e.id = h.evidence"
)


@dataclass(slots=True)
class Order:
    """What one transaction knows of the answers to handles, its own included."""

    answers: dict[_Answer, Spent] = field(default_factory=dict)
    last: dict[str, _Place] = field(default_factory=dict)

    @classmethod
    def begin(cls, conn: Connection, changes: Sequence[Accepted | Refused]) -> Order:
        asked = [
            _answer(change)
            for change in changes
            if isinstance(change, Accepted) and change.handle is not None
        ]
        if not asked:
            return cls()
        devices = {(answer[0],) for answer in asked}
        return cls(
            {tuple(key): Spent(sha256(raw).digest(), "") for *key, raw in ask(conn, _HEARD, asked)},
            {device: tuple(place) for device, *place in ask(conn, _LAST, list(devices))},
        )

    def before(self, change: Accepted) -> Spent | None:
        """What answered the same handle at the same place before; else this takes the place."""
        key = _answer(change)
        found = self.answers.get(key)
        if found is None:
            self.answers[key] = Spent(change.spent_by, change.answer)
        return found

    def is_late(self, change: Accepted) -> bool:
        """Is it history only: by its handle, or because something newer is on record?"""
        last = self.last.get(change.verdict.device)
        if last is None or change.freshness is Freshness.LATE:
            return change.freshness is Freshness.LATE
        received, epoch, boot, counter = last
        if change.epoch != epoch:  # a new key may come with a memory that was erased
            return change.epoch < epoch
        return is_overtaken(change.token, change.handle, received, boot, counter)

    def take(self, change: Accepted) -> None:
        """This is a device's newest report now."""
        token = change.token
        place = (change.received, change.epoch, token.boot_count, token.counter)
        self.last[change.verdict.device] = place


def _answer(change: Accepted) -> _Answer:
    token = change.token
    return change.verdict.device, named(change.handle), token.boot_count, token.counter


def named(handle: Handle | None) -> str:
    """What stands in the place of a session."""
    return "" if handle is None else handle.nonce.hex()
