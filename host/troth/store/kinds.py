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

from sqlalchemy import ColumnElement, and_, func, literal_column, select, text
from sqlalchemy.engine import Connection

from . import schema
from .bulk import each
from .flocks import Window

_heads, _devices, _keys = schema.heads, schema.devices, schema.keys
_lines, _holdings, _states = schema.provisionings, schema.holdings, schema.states
_FORGET = "UPDATE heads SET {what} FROM (VALUES {{values}}) AS v WHERE heads.device = v.column1"
_LEARN = _FORGET.format(what="kind = v.column2")
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
    """What makes the kind of a unit."""

    facts: tuple[Any, ...]
    told: Told
    evidence: int  # its last, which is not in it

    @property
    def kind(self) -> bytes:
        return _digest(self.facts, self.told)


@lru_cache(maxsize=4096)
def _digest(facts: tuple[Any, ...], told: Told) -> bytes:
    return sha256(repr((facts, told)).encode()).digest()[:16]


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
    asked = _standings().where(*unknown, _holdings.c.id.is_not(None), _states.c.id.is_not(None))
    found = _read(conn.execute(asked.limit(most), window.values))
    each(conn, _LEARN, [(device, standing.kind) for device, standing in found.items()])
    return len(found) == most


def standings(conn: Connection, devices: Iterable[str]) -> dict[str, Standing]:
    """What makes their kinds, as it is written now."""
    return _read(conn.execute(_standings().where(_heads.c.device.in_(devices))))


def forget(conn: Connection, devices: Iterable[str]) -> None:
    """Something of these is another than before."""
    each(conn, _FORGET.format(what="kind = NULL"), [(device,) for device in devices])


def recount(conn: Connection, devices: Sequence[str]) -> None:
    """A report came late: what was counted by the last one is not all."""
    each(conn, _FORGET.format(what="kind = NULL, forks = NULL"), [(device,) for device in devices])


def _standings() -> Any:
    return (
        select(_heads.c.device, _heads.c.evidence, *_told(), *_facts())
        .join(_devices, _devices.c.id == _heads.c.device)
        .outerjoin(_holdings, _open(_holdings))
        .outerjoin(_states, _open(_states))
    )


def _read(rows: Iterable[Any]) -> dict[str, Standing]:
    told = 2 + len(Told._fields)
    return {row[0]: Standing(tuple(row[told:]), Told(*row[2:told]), row[1]) for row in rows}


def _facts() -> list[ColumnElement[Any]]:
    registered = [column for column in _devices.c if column.name not in NAMES]
    counted = [_heads.c.set_digest, _heads.c.forks, _heads.c.regressions]
    newest = [
        _newest(_keys, _keys.c.algorithm, _keys.c.epoch),
        _newest(_keys, _keys.c.origin, _keys.c.epoch, _keys.c.revoked.is_(None)),
    ]
    line = func.json_array(_lines.c.profile, _lines.c.fuses, _lines.c.failing)
    return [*counted, *registered, *newest, _newest(_lines, line, _lines.c.id)]


def _newest(table: Any, said: Any, order: Any, *only: Any) -> ColumnElement[Any]:
    asked = select(said).where(table.c.device == _heads.c.device, *only)
    found: ColumnElement[Any] = asked.order_by(order.desc()).limit(1).scalar_subquery()
    return found


def _told() -> list[ColumnElement[Any]]:
    return [_holdings.c.sheet, *(_states.c[name] for name in Told._fields[1:])]


def _open(table: Any) -> Any:
    return and_(table.c.device == _heads.c.device, table.c.to.is_(None))
