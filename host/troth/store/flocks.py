"""Flocks: units that no rule can tell apart at an instant, found by the database itself.

They are of one kind, and what every report moves is the same for them as far as a rule may ask it.
Where no rule asks more than whether the last report is too old, or a count too high, that alone
tells them apart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.engine import Connection

OWN = "WITH own AS MATERIALIZED (SELECT key AS device, value AS mark FROM json_each(:own))"
JOIN_OWN = "LEFT JOIN own ON own.device = heads.device"
# a last report that is recent enough counts as if it came now, an old one as if just too old
GIVEN = (
    "CASE WHEN :age IS NULL OR heads.given > :now THEN heads.given "
    "WHEN :now - heads.given < :age THEN :now ELSE :now - :age END"
)
_HOURLY = "CASE WHEN heads.seen > :now - 3600 THEN heads.reports ELSE 0 END"
_DAILY = "CASE WHEN heads.seen > :now - 86400 THEN heads.boots ELSE 0 END"
# what is allowed counts as the most that is
REPORTS = f"CASE WHEN {_HOURLY} <= :reports THEN :reports ELSE {_HOURLY} END"
BOOTS = f"CASE WHEN {_DAILY} <= :boots THEN :boots ELSE {_DAILY} END"
_SEEN = "SELECT max(id) FROM evidence"
_FIND = (
    f"{OWN} SELECT heads.kind, own.mark, {GIVEN} AS given, heads.skew, {REPORTS} AS reports, "  # noqa: S608  our own words
    f"{BOOTS} AS boots, heads.device, heads.evidence, min(heads.rowid) FROM heads {JOIN_OWN} "
    "WHERE {where} AND heads.kind IS NOT NULL GROUP BY 1, 2, 3, 4, 5, 6"
)


class Limits(NamedTuple):
    """Up to where no rule tells one number from another; None: every number counts."""

    age: int | None = None  # at which a last report is too old
    reports: int | None = None  # within the hour, the most that are allowed
    boots: int | None = None  # within the day


@dataclass(frozen=True, slots=True)
class Window:
    """Some of the units at an instant: rows of `heads`, or those that are named."""

    now: int
    limits: Limits
    after: int = 0
    upto: int = 0
    devices: tuple[str, ...] | None = None
    own: Mapping[str, int] = field(default_factory=dict)  # who is like no others; equals alike

    @property
    def where(self) -> str:
        if self.devices is None:
            return "heads.rowid > :after AND heads.rowid <= :upto"
        return "heads.device IN (SELECT value FROM json_each(:devices))"

    @property
    def values(self) -> dict[str, Any]:
        said = {"now": self.now, "own": json.dumps(dict(self.own)), **self.limits._asdict()}
        if self.devices is None:
            return {**said, "after": self.after, "upto": self.upto}
        return {**said, "devices": json.dumps(self.devices)}


class Key(NamedTuple):
    """What the units of a flock have in common."""

    kind: bytes
    own: int | None
    given: int
    skew: int | None
    reports: int
    boots: int


class Flock(NamedTuple):
    key: Key
    device: str  # the first of them
    evidence: int  # its last


class Found(NamedTuple):
    flocks: tuple[Flock, ...]
    seen: int  # the last evidence by then


def find(conn: Connection, window: Window) -> Found:
    """All that are in it and of a known kind."""
    seen = conn.exec_driver_sql(_SEEN).scalar() or 0
    rows = conn.execute(text(_FIND.format(where=window.where)), window.values)
    return Found(tuple(Flock(Key(*row[:6]), row[6], row[7]) for row in rows), seen)
