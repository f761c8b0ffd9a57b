"""By which rules everybody was last judged, and at which generation of the records."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.engine import Connection

from . import schema

_judged = schema.judged


def last(conn: Connection) -> tuple[str, int] | None:
    row = conn.execute(select(_judged.c.rules, _judged.c.generation)).one_or_none()
    return (row.rules, row.generation) if row else None


def remember(conn: Connection, rules: str, generation: int) -> None:
    conn.execute(delete(_judged))
    conn.execute(insert(_judged).values(id=1, rules=rules, generation=generation))
