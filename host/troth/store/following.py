"""Units of one kind follow the one that was judged: the same sheet, the same state, an event each.

Written table by table, a handful of statements for a thousand units. Whoever is another than when
the kind was read follows nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy.engine import Connection

from . import audit, registry, schema
from .bulk import Row, ask, each, insert_rows
from .kinds import Told
from .memory import HOLDING, STATE, Memory

_OPEN = (
    "SELECT h.device, h.evidence, h.kind, o.id, o.since, s.id, s.since, "
    "o.sheet, s.state, s.duty_set, s.failing, s.subjects "
    "FROM (VALUES {values}) AS v JOIN heads AS h ON h.device = v.column1 "
    'LEFT JOIN holdings AS o ON o.device = h.device AND o."to" IS NULL '
    'LEFT JOIN states AS s ON s.device = h.device AND s."to" IS NULL'
)
_CLOSE = 'UPDATE {table} SET "to" = v.column2 FROM (VALUES {{values}}) AS v WHERE id = v.column1'
_MOVE_HEAD = (
    "UPDATE heads SET until = v.column2, kind = v.column3 FROM (VALUES {values}) AS v "
    "WHERE heads.device = v.column1"
)
_MOVE_END = (
    "UPDATE heads SET until = v.column2 FROM (VALUES {values}) AS v "
    "WHERE heads.device = v.column1 AND heads.evidence = v.column3 AND heads.kind = v.column4"
)


class Member(NamedTuple):
    """A unit as it was when its kind was read."""

    device: str
    evidence: int
    kind: bytes | None
    until: int | None  # of what it is told now


class Flock(NamedTuple):
    """Units of one kind that are told the same."""

    before: Told
    after: Told
    kind: bytes  # that they are of afterwards
    changed: str  # duties, as the event names them
    members: Sequence[Member]


@dataclass(slots=True)
class _Pages:
    """Rows of one interval table that end, and rows that begin."""

    next: int
    closing: list[Row] = field(default_factory=list)
    opening: list[Row] = field(default_factory=list)

    def turn(self, conn: Connection, table: str) -> None:
        each(conn, _CLOSE.format(table=table), self.closing)
        insert_rows(conn, schema.metadata.tables[table], self.opening)


def follow(
    conn: Connection, flocks: Sequence[Flock], memory: Memory, *, at: int, references: int
) -> int | None:
    """Returns how many turned; None: the records are others by now, and nothing was written."""
    if registry.generation(conn) != references:
        return None
    numbers = memory.begin(conn)
    holdings, states = _Pages(numbers[HOLDING]), _Pages(numbers[STATE])
    heads: list[Row] = []
    ends: list[Row] = []
    leaves: list[audit.Leaf] = []
    for flock in flocks:
        still = [m for m in flock.members if flock.before == flock.after and m.kind == flock.kind]
        ends += [(m.device, m.until, m.evidence, m.kind) for m in still]
        others = {m.device: m for m in flock.members if m.kind != flock.kind}
        for row in ask(conn, _OPEN, [(device,) for device in others]):
            member, now = others[row[0]], Told(*row[7:])
            if row[1:3] != (member.evidence, member.kind) or now != flock.before:
                continue
            heads.append((member.device, member.until, flock.kind))
            if now == flock.after:
                continue
            _turn(holdings, states, row, flock.after, at)
            leaves.append((at, "clock", "verdict.turned", member.device, _words(flock)))
            memory.drop(member.device)
    holdings.turn(conn, "holdings")
    states.turn(conn, "states")
    each(conn, _MOVE_HEAD, heads)
    each(conn, _MOVE_END, ends)
    audit.append_many(conn, leaves)
    numbers[HOLDING], numbers[STATE] = holdings.next, states.next
    return len(leaves)


def _turn(holdings: _Pages, states: _Pages, row: Row, after: Told, at: int) -> None:
    device, _, _, holding, held, state, stood = row[:7]
    if row[7] != after.sheet:
        since = max(at, held)
        holdings.closing.append((holding, since))
        holdings.opening.append((holdings.next, device, after.sheet, None, since, None))
        holdings.next += 1
    if row[8:] != after[1:]:
        since = max(at, stood)
        states.closing.append((state, since))
        states.opening.append((states.next, device, *after[1:], None, since, None))
        states.next += 1


def _words(flock: Flock) -> str:
    return f"{flock.after.state} {flock.changed}".strip()
