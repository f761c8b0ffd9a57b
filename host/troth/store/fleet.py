"""The whole fleet in one question: units that nothing tells apart but their names, counted.

Who they are is asked only of those that must be named: a hundred thousand names cost more than all
the counting.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, or_, select
from sqlalchemy.engine import Connection

from ..core.duties import Appraisal
from ..core.verdict import State
from . import schema, sheets

_devices, _states, _sets, _holdings = (
    schema.devices,
    schema.states,
    schema.duty_sets,
    schema.holdings,
)
# which unit it is; all else in the registry may be the same for many
_ITS_OWN = ("id", "name", "ueid", "mac", "chip", "site", "tags", "created")
_INSTANTS = ("placed_on_market", "modified")
Key = tuple[Any, ...]


class Member(NamedTuple):
    """One unit among those that are alike."""

    id: str
    name: str


class Alike(NamedTuple):
    """Units that nothing tells apart but their names."""

    key: Key
    size: int
    one: str  # the id of one of them
    model: str | None
    lifecycle: str
    state: State | None  # None: never judged
    regimes: tuple[str, ...]
    mandatory: frozenset[str]
    failing: frozenset[str]
    subjects: Mapping[str, str]
    answers: Mapping[str, Appraisal]  # their own


@dataclass(frozen=True, slots=True)
class Asked:
    """Which units, when, and which instants alone count of the dates in the registry."""

    as_of: int | None = None
    only: str = ""  # a name, an id or a model
    instants: tuple[int, ...] = ()


def alike(conn: Connection, asked: Asked) -> tuple[Alike, ...]:
    key = _key(asked.instants)
    first = func.min(_devices.c.id)
    rows = conn.execute(_from(asked, first, func.count(), *key).group_by(*key))
    told = sheets.every(conn)
    bound = {row.digest: row for row in conn.execute(select(_sets))}
    return tuple(_group(tuple(row), told, bound) for row in rows)


def members(conn: Connection, asked: Asked, key: Key) -> dict[Key, list[Member]]:
    """Who they are that hold the same sheet as these, group by group."""
    sheet = key[0]
    same = _holdings.c.sheet.is_(None) if sheet is None else _holdings.c.sheet == sheet
    own = (_devices.c.id, _devices.c.name)
    found: dict[Key, list[Member]] = {}
    for row in conn.execute(_from(asked, *own, *_key(asked.instants)).where(same)):
        found.setdefault(tuple(row[2:]), []).append(Member(row[0], row[1]))
    return found


def _key(instants: Sequence[int]) -> list[Any]:
    registered = [
        _step(column, instants) if column.name in _INSTANTS else column
        for column in _devices.c
        if column.name not in (*_ITS_OWN, "model", "lifecycle")
    ]
    judged = (_states.c.state, _states.c.duty_set, _states.c.failing, _states.c.subjects)
    return [_holdings.c.sheet, *judged, _devices.c.model, _devices.c.lifecycle, *registered]


def _from(asked: Asked, *columns: Any) -> Any:
    found = (
        select(*columns)
        .select_from(_devices)
        .outerjoin(_states, _at(_states, asked.as_of))
        .outerjoin(_holdings, _at(_holdings, asked.as_of))
    )
    if asked.as_of is not None:
        found = found.where(_devices.c.created <= asked.as_of)
    if asked.only:
        names = (_devices.c.id, _devices.c.name, _devices.c.model)
        found = found.where(or_(*(column == asked.only for column in names)))
    return found


def _group(row: tuple[Any, ...], told: Any, bound: Any) -> Alike:
    one, size, *key = row
    sheet, state, digest, failing, subjects, model, lifecycle, *_ = key
    chosen = bound.get(digest)
    return Alike(
        tuple(key),
        size,
        one,
        model,
        lifecycle,
        None if state is None else State(state),
        tuple(json.loads(chosen.regimes)) if chosen else (),
        frozenset(json.loads(chosen.mandatory)) if chosen else frozenset(),
        frozenset(json.loads(failing or "[]")),
        json.loads(subjects or "{}"),
        told.get(sheet, {}),
    )


def _at(table: Any, as_of: int | None) -> Any:
    return and_(table.c.device == _devices.c.id, sheets.held_at(table, as_of))


def _step(column: Any, instants: Sequence[int]) -> Any:
    """How many of these instants a date has reached; -1: there is no date."""
    steps = [(column < at, number) for number, at in enumerate(instants)]
    return case((column.is_(None), -1), *steps, else_=len(instants))
