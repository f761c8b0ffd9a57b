"""The whole fleet in one question: each unit with its state and the sheet that it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import and_, case, or_, select
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


class Member(NamedTuple):
    """One unit among those that are alike."""

    id: str
    name: str


class Alike(NamedTuple):
    """Units that nothing tells apart but their names."""

    members: tuple[Member, ...]
    model: str | None
    lifecycle: str
    state: State | None  # None: never judged
    duty_set: str
    regimes: tuple[str, ...]
    mandatory: frozenset[str]
    failing: tuple[str, ...]
    subjects: dict[str, str]
    answers: dict[str, Appraisal]  # their own


def alike(
    conn: Connection, as_of: int | None, only: str, instants: Sequence[int]
) -> tuple[Alike, ...]:
    """All units, by name; of a date it counts only which of these instants lie before it."""
    own = [_devices.c.id, _devices.c.name]
    shared = [_devices.c.model, _devices.c.lifecycle]
    shared += [
        _step(column, instants) if column.name in _INSTANTS else column
        for column in _devices.c
        if column.name not in (*_ITS_OWN, "model", "lifecycle")
    ]
    found = [_states.c.state, _states.c.duty_set, _states.c.failing, _states.c.subjects]
    asked = (
        select(*own, *found, _holdings.c.sheet, *shared)
        .outerjoin(_states, _at(_states, as_of))
        .outerjoin(_holdings, _at(_holdings, as_of))
        .order_by(_devices.c.name)
    )
    if as_of is not None:
        asked = asked.where(_devices.c.created <= as_of)
    if only:
        asked = asked.where(or_(*(column == only for column in (*own, _devices.c.model))))
    groups: dict[Any, list[Member]] = {}
    for row in conn.execute(asked):
        groups.setdefault(row[2:], []).append(Member(row[0], row[1]))
    told = sheets.every(conn)
    bound = {row.digest: row for row in conn.execute(select(_sets))}
    return tuple(_group(key, members, told, bound) for key, members in groups.items())


def _group(key: Any, members: list[Member], told: Any, bound: Any) -> Alike:
    state, digest, failing, subjects, sheet, model, lifecycle, *_ = key
    chosen = bound.get(digest)
    return Alike(
        tuple(members),
        model,
        lifecycle,
        None if state is None else State(state),
        digest or "",
        tuple(json.loads(chosen.regimes)) if chosen else (),
        frozenset(json.loads(chosen.mandatory)) if chosen else frozenset(),
        tuple(json.loads(failing or "[]")),
        json.loads(subjects or "{}"),
        dict(told.get(sheet, {})),
    )


def _at(table: Any, as_of: int | None) -> Any:
    return and_(table.c.device == _devices.c.id, sheets.held_at(table, as_of))


def _step(column: Any, instants: Sequence[int]) -> Any:
    """How many of these instants a date has reached; NULL stays what it is."""
    steps: Any = column * 0
    for at in instants:
        steps = steps + case((column >= at, 1), else_=0)
    return steps
