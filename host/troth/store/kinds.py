"""Of what kind a unit is: the digest of all that a rule may look at and that no clock moves.

Units of a kind differ in their names, and in what every report moves: that stands beside it in
`heads`. They hold one sheet and are in one state, so that one of them is judged for them all. A
kind is forgotten with the first change of anything that it covers, and worked out when it is next
asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, literal_column, select, text, update
from sqlalchemy.engine import Connection

from . import schema
from .bulk import each
from .flocks import Window

_heads, _devices, _keys = schema.heads, schema.devices, schema.keys
_lines, _holdings, _states = schema.provisionings, schema.holdings, schema.states
_FORGET = "UPDATE heads SET {what} FROM (VALUES {{values}}) AS v WHERE heads.device = v.column1"
_LEARN = text("UPDATE heads SET kind = :kind WHERE rowid IN (SELECT value FROM json_each(:rows))")
_ROW: ColumnElement[Any] = literal_column("heads.rowid")
# what tells units apart and no rule asks; a waiver may, and so may the grace after enrolment
NAMES = ("id", "name", "ueid", "mac", "site", "tags", "created")


class Told(NamedTuple):
    """What stands written of a unit."""

    sheet: int | None
    state: str | None
    duty_set: str | None
    failing: str | None
    subjects: str | None


class Standing(NamedTuple):
    """Of what kind a unit is, as it is written now."""

    kind: bytes
    evidence: int  # its last, which is not in it
    told: Told


def last(conn: Connection) -> int:
    """The last row of `heads`; they are in the order in which the units first reported."""
    return conn.execute(select(func.max(_ROW)).select_from(_heads)).scalar() or 0


def rows(conn: Connection, devices: Iterable[str]) -> list[tuple[int, str]]:
    """Those of them that ever reported, each by its row of `heads`."""
    named = text("heads.device IN (SELECT value FROM json_each(:devices))")
    asked = select(_ROW, _heads.c.device).where(named).order_by(_ROW)
    found = conn.execute(asked, {"devices": json.dumps(list(devices))})
    return [(row, device) for row, device in found]


def learn(conn: Connection, window: Window, most: int) -> bool:
    """Work out of what kind those are of whom it is not known; are there perhaps more?"""
    unknown = (_heads.c.kind.is_(None), _heads.c.forks.is_not(None), text(window.where))
    judged = (_holdings.c.id.is_not(None), _states.c.id.is_not(None))
    asked = _standings(_ROW).where(*unknown, *judged).limit(most)
    alike: dict[str, list[int]] = {}
    for said, row in conn.execute(asked, window.values):
        alike.setdefault(said, []).append(row)
    for said, found in alike.items():
        conn.execute(_LEARN, {"kind": _digest(said), "rows": json.dumps(found)})
    return sum(map(len, alike.values())) == most


def standings(conn: Connection, devices: Iterable[str]) -> dict[str, Standing]:
    told = (_told(name) for name in Told._fields)
    asked = _standings(_heads.c.device, _heads.c.evidence, *told)
    found = conn.execute(asked.where(_heads.c.device.in_(devices)))
    return {row[1]: Standing(_digest(row[0]), row[2], Told(*row[3:])) for row in found}


def forget_all(conn: Connection, stale: Sequence[bytes]) -> None:
    """Units of these kinds are of others by now."""
    conn.execute(update(_heads).where(_heads.c.kind.in_(stale)).values(kind=None))


def forget(conn: Connection, devices: Iterable[str]) -> None:
    """Something of these is another than before."""
    each(conn, _FORGET.format(what="kind = NULL"), [(device,) for device in devices])


def recount(conn: Connection, devices: Sequence[str]) -> None:
    """A report came late: what was counted by the last one is not all."""
    each(conn, _FORGET.format(what="kind = NULL, forks = NULL"), [(device,) for device in devices])


def _standings(*columns: ColumnElement[Any]) -> Any:
    """All that makes the kind of a unit, as one text, and what else is asked."""
    said = [*_facts(), *(_told(name) for name in Told._fields)]
    return (
        select(func.json_array(*said), *columns)
        .join(_devices, _devices.c.id == _heads.c.device)
        .outerjoin(_holdings, _open(_holdings))
        .outerjoin(_states, _open(_states))
    )


@lru_cache(maxsize=4096)
def _digest(said: str) -> bytes:
    return sha256(said.encode()).digest()[:16]


def _facts() -> list[ColumnElement[Any]]:
    registered = [column for column in _devices.c if column.name not in NAMES]
    counted = [func.hex(_heads.c.set_digest), _heads.c.forks, _heads.c.regressions]
    newest = [
        _newest(_keys, _keys.c.algorithm, _keys.c.epoch),
        _newest(_keys, _keys.c.origin, _keys.c.epoch, _keys.c.revoked.is_(None)),
    ]
    line = func.json_array(_lines.c.profile, _lines.c.fuses, _lines.c.failing).concat("")
    return [*counted, *registered, *newest, _newest(_lines, line, _lines.c.id)]


def _newest(table: Any, said: Any, order: Any, *only: Any) -> ColumnElement[Any]:
    asked = select(said).where(table.c.device == _heads.c.device, *only)
    found: ColumnElement[Any] = asked.order_by(order.desc()).limit(1).scalar_subquery()
    return found


def _told(name: str) -> ColumnElement[Any]:
    table = _holdings if name == "sheet" else _states
    column: ColumnElement[Any] = table.c[name]
    return column


def _open(table: Any) -> Any:
    return and_(table.c.device == _heads.c.device, table.c.to.is_(None))
