"""Of what kind a unit is: the digest of all that a rule may look at and that no clock moves.

Units of a kind differ in their names, and in what every report moves: that stands beside it in
`heads`. They hold one sheet and are in one state, so that one of them is judged for them all. A
kind is forgotten with the first change of anything that it covers, and worked out when it is next
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, func, literal_column, select
from sqlalchemy.engine import Connection

from . import schema
from .bulk import each

_heads, _devices, _keys = schema.heads, schema.devices, schema.keys
_lines, _holdings, _states = schema.provisionings, schema.holdings, schema.states
_FORGET = "UPDATE heads SET {what} FROM (VALUES {{values}}) AS v WHERE heads.device = v.column1"
_ROW: ColumnElement[Any] = literal_column(
    "heads.rowid"
)  # in the order in which the units first reported
# what tells units apart and no rule asks; a waiver may, and so may the grace after enrolment
NAMES = ("id", "name", "ueid", "mac", "site", "tags", "created")


class Head(NamedTuple):
    """What every report of a unit moves."""

    row: int
    device: str
    evidence: int
    seen: int
    until: int | None
    given: int | None
    skew: int | None
    forks: int | None  # None: only its whole history tells what was counted
    reports: int | None
    boots: int | None
    kind: bytes | None


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

    @property
    def kind(self) -> bytes:
        return _digest(self)


@lru_cache(maxsize=4096)
def _digest(standing: Standing) -> bytes:
    return sha256(repr(tuple(standing)).encode()).digest()[:16]


def heads(conn: Connection, after: int, most: int) -> list[Head]:
    """The next ones, in an order that no report changes."""
    asked = _heads_select().where(after < _ROW).order_by(_ROW).limit(most)
    return [Head(*row) for row in conn.execute(asked)]


def heads_of(conn: Connection, devices: Iterable[str]) -> list[Head]:
    asked = _heads_select().where(_heads.c.device.in_(devices)).order_by(_ROW)
    return [Head(*row) for row in conn.execute(asked)]


def standings(conn: Connection, devices: Iterable[str]) -> dict[str, Standing]:
    """What makes their kinds, as it is written now."""
    facts, told = _facts(), _told()
    asked = (
        select(_heads.c.device, *facts, *told)
        .join(_devices, _devices.c.id == _heads.c.device)
        .outerjoin(_holdings, _open(_holdings))
        .outerjoin(_states, _open(_states))
        .where(_heads.c.device.in_(devices))
    )
    found = {}
    for device, *row in conn.execute(asked):
        found[device] = Standing(tuple(row[: len(facts)]), Told(*row[len(facts) :]))
    return found


def forget(conn: Connection, devices: Iterable[str]) -> None:
    """Something of these is another than before."""
    each(conn, _FORGET.format(what="kind = NULL"), [(device,) for device in devices])


def recount(conn: Connection, devices: Sequence[str]) -> None:
    """A report came late: what was counted by the last one is not all."""
    each(conn, _FORGET.format(what="kind = NULL, forks = NULL"), [(device,) for device in devices])


def _heads_select() -> Any:
    return select(_ROW, *(_heads.c[name] for name in Head._fields[1:]))


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
