"""By which rules everybody was judged, and from when on: so a state has the rules of its time."""

from __future__ import annotations

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection

from . import schema
from .rows import JudgedRow, Rules

_judged = schema.judged


def rows(conn: Connection, as_of: int | None) -> tuple[JudgedRow, ...]:
    """Newest first."""
    asked = select(_judged).order_by(_judged.c.id.desc())
    if as_of is not None:
        asked = asked.where(_judged.c.at <= as_of)
    return tuple(
        JudgedRow(row.at, Rules(row.catalogue, row.policy), row.generation)
        for row in conn.execute(asked)
    )


def remember(conn: Connection, rules: Rules, generation: int, at: int) -> None:
    """A row for other rules than before; by the same ones only the records have moved."""
    last = next(iter(rows(conn, None)), None)
    if last is not None and last.rules == rules:
        newest = select(func.max(_judged.c.id)).scalar_subquery()
        conn.execute(update(_judged).where(_judged.c.id == newest).values(generation=generation))
        return
    conn.execute(insert(_judged).values(at=at, **rules._asdict(), generation=generation))
