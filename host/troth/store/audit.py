"""The audit chain: every change leaves a leaf whose digest covers the leaf before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.engine import Connection

from . import schema
from .bulk import insert_rows
from .rows import AuditRow

_START = bytes(32)
_spelled = json.JSONEncoder().encode
_table = schema.audit

Head = tuple[int, bytes]  # the last leaf's id and digest
Leaf = tuple[int, str, str, str, str]  # at, actor, action, subject, detail


def append(
    conn: Connection, at: int, actor: str, action: str, subject: str, detail: str = ""
) -> None:
    """Append one leaf."""
    append_many(conn, [(at, actor, action, subject, detail)])


def append_many(conn: Connection, leaves: Sequence[Leaf], *, after: Head | None = None) -> Head:
    """Append leaves in their order, under the writer's lock; returns the new end of the chain."""
    ident, digest = after or _end(conn)
    made = []
    for leaf in leaves:
        ident += 1
        digest = _digest(digest, ident, leaf)
        made.append((ident, *leaf, digest))
    insert_rows(conn, _table, made)
    return ident, digest


def _end(conn: Connection) -> Head:
    asked = select(_table.c.id, _table.c.digest).order_by(_table.c.id.desc()).limit(1)
    found = conn.execute(asked).one_or_none()
    return (found.id, found.digest) if found else (0, _START)


def rows(conn: Connection, after: int, limit: int) -> tuple[AuditRow, ...]:
    """Leaves from an id on, in order."""
    found = conn.execute(
        select(_table).where(_table.c.id > after).order_by(_table.c.id).limit(limit)
    )
    return tuple(AuditRow(*row) for row in found)


def breaks(conn: Connection) -> tuple[int, ...]:
    """Ids of leaves that do not follow from the leaf before them."""
    wrong, digest, expected = [], _START, 1
    for row in conn.execute(select(_table).order_by(_table.c.id)):
        leaf = (row.at, row.actor, row.action, row.subject, row.detail)
        if row.id != expected or row.digest != _digest(digest, row.id, leaf):
            wrong.append(row.id)
        digest, expected = row.digest, row.id + 1
    return tuple(wrong)


def _digest(before: bytes, ident: int, leaf: Leaf) -> bytes:
    at, *words = leaf
    # as JSON spells the list; asked for the list it would cost five times as much
    said = f"[{ident}, {at}, {', '.join(map(_spelled, words))}]"
    return hashlib.sha256(before + said.encode()).digest()
