"""Each duty of one device over time: what it answered, from when to when, and by which report.

What is judged once for a release, model or maker has its own course, of which is told here what
went on while the device stood under it: an older release's answers end where the next one's begin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from ..core.duties import Duty, Outcome
from ..core.verdict import Catalogue
from ..store import Store
from ..store.rows import IntervalRow, StateRow, Stood
from .words import SEVERITIES

R = TypeVar("R", IntervalRow, StateRow)
PARTS = 20  # of the whole time that a strip shows


class Stretch(NamedTuple):
    """A part of the strip; without an outcome nothing was asked yet."""

    outcome: Outcome | None
    parts: int


@dataclass(frozen=True, slots=True)
class Course:
    duty: Duty
    intervals: tuple[IntervalRow, ...]  # newest first
    strip: tuple[Stretch, ...]  # oldest first

    @property
    def turned(self) -> bool:
        """Did it ever answer otherwise, and not only in other words?"""
        return len({each.appraisal.outcome for each in self.intervals}) > 1


def answers(
    store: Store, device: str, *, duty: str | None = None, as_of: int | None = None
) -> tuple[IntervalRow, ...]:
    """Every interval of a device and of what it stood under, newest first, as known by then."""
    rows = list(store.history(device, kind="unit", duty=duty))
    for under in store.stood(device):
        told = store.history(under.subject, kind=under.kind, duty=duty)
        rows += filter(None, (_within(row, under) for row in told))
    known = _known(rows, as_of)
    return tuple(sorted(known, key=lambda row: row.since, reverse=True))


def _within(row: IntervalRow, under: Stood) -> IntervalRow | None:
    """The part of an answer that went on while a device stood under it."""
    since = max(row.since, under.since)
    to = min((end for end in (row.to, under.to) if end is not None), default=None)
    return replace(row, since=since, to=to) if to is None or since < to else None


def states(store: Store, device: str, *, as_of: int | None = None) -> tuple[StateRow, ...]:
    """Its states, newest first, as known by then."""
    return tuple(_known(store.state_history(device), as_of))


def _known(rows: Iterable[R], as_of: int | None) -> Iterator[R]:
    """What had begun by then; what has ended since was open."""
    for row in rows:
        if as_of is None:
            yield row
        elif row.since <= as_of:
            yield replace(row, to=None) if row.to is not None and row.to > as_of else row


def courses(
    store: Store, catalogue: Catalogue, device: str, *, now: int, as_of: int | None = None
) -> tuple[Course, ...]:
    """One for each duty: those that turned first, then by weight."""
    found: dict[str, list[IntervalRow]] = defaultdict(list)
    for row in answers(store, device, as_of=as_of):
        found[row.appraisal.duty].append(row)
    end = now if as_of is None else as_of
    begin = min((row.since for rows in found.values() for row in rows), default=end)
    made = [
        Course(duty, tuple(found[duty.id]), _strip(reversed(found[duty.id]), begin, end))
        for duty in catalogue.duties
        if duty.id in found
    ]
    return tuple(sorted(made, key=_rank))


def _rank(course: Course) -> tuple[bool, int, str]:
    return not course.turned, SEVERITIES.index(course.duty.severity), course.duty.id


def _strip(rows: Iterable[IntervalRow], begin: int, end: int) -> tuple[Stretch, ...]:
    """What lasted is wide, and what was short is seen all the same."""
    parts: list[tuple[Outcome | None, int]] = []
    told = begin
    for row in rows:
        if row.since > told:
            parts.append((None, row.since - told))
        told = end if row.to is None else row.to
        outcome = row.appraisal.outcome
        if parts and parts[-1][0] is outcome:  # the same in other words
            parts[-1] = (outcome, parts[-1][1] + told - row.since)
        else:
            parts.append((outcome, told - row.since))
    whole = max(end - begin, 1)
    return tuple(Stretch(outcome, max(1, round(PARTS * s / whole))) for outcome, s in parts)
