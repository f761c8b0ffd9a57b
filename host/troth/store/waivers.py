"""Waivers and their ends: both only grow, and each change leaves its leaf."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection, Row

from ..core.duties import Party
from ..core.waiver import Scope, Waiver
from ..trouble import Trouble
from . import audit, schema
from .registry import bump
from .rows import WaiverEnd, WaiverRow

_waivers, _ends = schema.waivers, schema.waiver_ends
_COLUMNS = tuple(field.name for field in fields(Waiver) if field.name != "revoked")


def add(conn: Connection, waiver: Waiver, record: bytes) -> None:
    values = {name: getattr(waiver, name) for name in _COLUMNS}
    values |= {"scope": waiver.scope.value, "party": waiver.party.value, "record": record}
    conn.execute(insert(_waivers).values(**values))
    detail = f"{waiver.duty} {waiver.scope.value} {waiver.subject} {waiver.ticket}".strip()
    audit.append(conn, waiver.created, waiver.approved_by, "waiver.approved", waiver.id, detail)
    bump(conn)


def revoke(conn: Connection, ident: str, end: WaiverEnd) -> None:
    """Trouble `waiver.ended` when it ended before."""
    row = one(conn, ident)
    if row is None or row.end is not None:
        raise Trouble(
            "waiver.ended", f"the waiver {ident[:12]} has ended before", fix="troth waiver list"
        )
    _end(conn, ident, end)
    audit.append(conn, end.at, end.by, "waiver.revoked", ident, end.because)
    bump(conn)


def end_expired(conn: Connection, now: int) -> tuple[Waiver, ...]:
    """Note the end of those whose day has come: an event each, once."""
    gone = tuple(row.waiver for row in _expired(conn, now))
    for waiver in gone:
        _end(conn, waiver.id, WaiverEnd(waiver.expires, "expired", "clock"))
        audit.append(conn, now, "clock", "waiver.expired", waiver.id, waiver.duty)
    return gone


def has_expired(conn: Connection, now: int) -> bool:
    """Is there one whose end is not noted yet?"""
    return bool(_expired(conn, now))


def every(conn: Connection) -> tuple[WaiverRow, ...]:
    """All that ever were, oldest first."""
    asked = _select().order_by(_waivers.c.created, _waivers.c.id)
    return tuple(_row(row) for row in conn.execute(asked))


def one(conn: Connection, ref: str) -> WaiverRow | None:
    """By id, or by a beginning of at least four digits that only one has."""
    asked = _select().where(_waivers.c.id.startswith(ref, autoescape=True)).limit(2)
    rows = [_row(row) for row in conn.execute(asked)] if len(ref) >= 4 else []
    return rows[0] if len(rows) == 1 else None


def _expired(conn: Connection, now: int) -> list[WaiverRow]:
    asked = _select().where(_waivers.c.expires <= now, _ends.c.waiver.is_(None))
    return [_row(row) for row in conn.execute(asked)]


def _end(conn: Connection, ident: str, end: WaiverEnd) -> None:
    conn.execute(
        insert(_ends).values(
            waiver=ident,
            at=end.at,
            how=end.how,
            by=end.by,
            because=end.because,
            record=end.record,
        )
    )


def _select() -> Any:
    ends = [column.label(f"end_{column.name}") for column in _ends.c]
    return select(_waivers, *ends).outerjoin(_ends, _ends.c.waiver == _waivers.c.id)


def _row(row: Row[Any]) -> WaiverRow:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {"scope": Scope(row.scope), "party": Party(row.party)}
    end = None
    if row.end_waiver is not None:
        end = WaiverEnd(row.end_at, row.end_how, row.end_by, row.end_because, row.end_record)
    revoked = end.at if end and end.how == "revoked" else None
    return WaiverRow(Waiver(**values, revoked=revoked), row.record, end)
