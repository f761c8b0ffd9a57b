"""Who is like one that was judged follows it: the same sheet, the same state, an event each.

Written table by table by the database itself, as everybody stands when it is written: whoever is
another by then, or is like nobody, follows nobody and is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import Connection

from . import audit, registry
from .flocks import BOOTS, GIVEN, JOIN_OWN, OWN, REPORTS, Key, Window
from .kinds import Told
from .memory import Memory

_TABLES = (
    "CREATE TEMP TABLE IF NOT EXISTS told (id INTEGER PRIMARY KEY, kind, own, given, skew, "
    "reports, boots, until, by_age, becomes, sheet, state, duty_set, failing, subjects)",
    "CREATE INDEX IF NOT EXISTS temp.told_to ON told (kind, given, reports, boots, skew, own)",
    "CREATE TEMP TABLE IF NOT EXISTS moving (head INTEGER PRIMARY KEY, device, told, until, "
    "holding, held, standing, stood)",
    "DELETE FROM temp.told",
    "DELETE FROM temp.moving",
)
_TELL = f"INSERT INTO temp.told VALUES ({', '.join('?' * 15)})"  # noqa: S608  our own words
_UNTIL = "CASE WHEN told.by_age THEN min(told.until, heads.given + :age) ELSE told.until END"
_MOVE = (
    f"INSERT INTO temp.moving {OWN} SELECT heads.rowid, heads.device, told.id, {_UNTIL}, "  # noqa: S608  our own words
    "holdings.id, max(holdings.since, :now), states.id, max(states.since, :now) "
    f"FROM heads {JOIN_OWN} LEFT JOIN temp.told ON told.kind = heads.kind AND told.given = {GIVEN} "
    f"AND told.reports = {REPORTS} AND told.boots = {BOOTS} "
    "AND told.skew IS heads.skew AND told.own IS own.mark "
    "LEFT JOIN holdings ON told.becomes IS NOT NULL AND holdings.device = heads.device "
    'AND holdings."to" IS NULL '
    "LEFT JOIN states ON told.becomes IS NOT NULL AND states.device = heads.device "
    'AND states."to" IS NULL '
    "WHERE {where} AND heads.evidence <= :seen "
    f"AND (told.id IS NULL OR told.becomes IS NOT NULL OR heads.until IS NOT {_UNTIL})"
)
_APART = "SELECT device FROM temp.moving WHERE told IS NULL ORDER BY head"
_MOVED = "FROM temp.moving AS m JOIN temp.told AS t ON t.id = m.told"
_TURNED = f"SELECT m.device, t.id {_MOVED} WHERE t.becomes IS NOT NULL ORDER BY m.head"
_HEADS = (
    f"UPDATE heads SET until = m.until, kind = coalesce(t.becomes, heads.kind) {_MOVED} "  # noqa: S608  our own words
    "WHERE heads.rowid = +m.head"  # heads by what moves, never all of them one by one
)
_INTERVALS = (
    f'UPDATE holdings SET "to" = m.held {_MOVED} '  # noqa: S608  our own words
    "WHERE holdings.id = m.holding AND t.sheet IS NOT NULL",
    f"INSERT INTO holdings (device, sheet, since) SELECT m.device, t.sheet, m.held {_MOVED} "
    "WHERE t.sheet IS NOT NULL ORDER BY m.head",
    f'UPDATE states SET "to" = m.stood {_MOVED} '  # noqa: S608  our own words
    "WHERE states.id = m.standing AND t.state IS NOT NULL",
    "INSERT INTO states (device, state, duty_set, failing, subjects, since) SELECT m.device, "
    f"t.state, t.duty_set, t.failing, t.subjects, m.stood {_MOVED} "
    "WHERE t.state IS NOT NULL ORDER BY m.head",
)


class Lead(NamedTuple):
    """What the one that was judged stood as, and what stands written of it now."""

    before: Told
    after: Told
    kind: bytes  # that it is of now
    changed: str  # duties, as the event names them


class Course(NamedTuple):
    """Whom a flock follows, and until when that holds."""

    lead: Lead
    until: int | None
    by_age: bool  # or until its last report is too old, if that is sooner


class Followed(NamedTuple):
    turned: int
    apart: tuple[str, ...]


def follow(
    conn: Connection,
    window: Window,
    courses: Mapping[Key, Course],
    memory: Memory,
    *,
    seen: int,
    references: int,
) -> Followed | None:
    """Everybody in a window but who reported since; None: the records are others by now."""
    if registry.generation(conn) != references:
        return None
    for statement in _TABLES:
        conn.exec_driver_sql(statement)
    told = [_told(number, *each) for number, each in enumerate(courses.items())]
    if told:
        conn.exec_driver_sql(_TELL, told)
    conn.execute(text(_MOVE.format(where=window.where)), {**window.values, "seen": seen})
    apart = tuple(conn.exec_driver_sql(_APART).scalars())
    turned = conn.exec_driver_sql(_TURNED).all()
    conn.exec_driver_sql(_HEADS)
    if turned:
        _turn(conn, turned, [_words(each.lead) for each in courses.values()], memory, window.now)
    return Followed(len(turned), apart)


def _turn(
    conn: Connection, turned: Sequence[tuple[str, int]], words: list[str], memory: Memory, at: int
) -> None:
    for statement in _INTERVALS:
        conn.exec_driver_sql(statement)
    memory.numbers = None
    for device, _ in turned:
        memory.drop(device)
    leaves = [(at, "clock", "verdict.turned", device, words[number]) for device, number in turned]
    audit.append_many(conn, leaves)


def _told(number: int, key: Key, course: Course) -> tuple[object, ...]:
    before, after, kind, _ = course.lead
    becomes = None if before == after else kind
    sheet = None if before.sheet == after.sheet else after.sheet
    state = after[1:] if before[1:] != after[1:] else (None,) * 4
    return (number, *key, course.until, course.by_age, becomes, sheet, *state)


def _words(lead: Lead) -> str:
    return f"{lead.after.state} {lead.changed}".strip()
