"""What changed since yesterday, and what is judged once for many units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Duty, Outcome, Subject
from ..core.verdict import Catalogue
from ..store.rows import DeviceRow, IntervalRow
from .context import Context
from .units import Unit
from .words import SEVERITIES

DAY = 86_400


@dataclass(frozen=True, slots=True)
class Change:
    """A duty whose answer turned since yesterday, and on which devices."""

    duty: Duty
    devices: tuple[DeviceRow, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What falls short of a release, a model or a maker: judged once, counted once."""

    duty: Duty
    kind: Subject
    name: str  # `2.0.1 of cam-s3`, `gate-v1`
    interval: IntervalRow
    units: int


def newly_failing(
    catalogue: Catalogue, units: tuple[Unit, ...], intervals: Iterable[IntervalRow], now: int
) -> tuple[Change, ...]:
    """What began to fail within a day."""
    failing = {(unit.row.id, duty) for unit in units for duty in unit.failing}
    return _changes(
        catalogue,
        units,
        [
            each
            for each in intervals
            if each.since > now - DAY and (each.subject, each.appraisal.duty) in failing
        ],
    )


def fixed(
    context: Context, catalogue: Catalogue, units: tuple[Unit, ...], now: int
) -> tuple[Change, ...]:
    """What failed a day ago and holds now."""
    before = {
        (each.subject, each.appraisal.duty)
        for each in context.store.all_intervals(as_of=now - DAY)
        if each.appraisal.outcome is Outcome.NOT_MET
    }
    if not before:
        return ()
    holding = (
        each
        for each in context.store.all_intervals(as_of=now)
        if each.appraisal.outcome is Outcome.MET
    )
    return _changes(
        catalogue,
        units,
        [each for each in holding if (each.subject, each.appraisal.duty) in before],
    )


def _changes(
    catalogue: Catalogue, units: tuple[Unit, ...], turned: Iterable[IntervalRow]
) -> tuple[Change, ...]:
    """Answers about units that turned, one line a duty."""
    rows = {unit.row.id: unit.row for unit in units}
    found = by_duty(each for each in turned if each.subject in rows)
    return tuple(
        Change(
            duty,
            tuple(rows[each.subject] for each in found[duty.id]),
            max(each.since for each in found[duty.id]),
        )
        for duty in catalogue.duties
        if duty.id in found
    )


def findings(
    context: Context,
    catalogue: Catalogue,
    units: tuple[Unit, ...],
    intervals: Iterable[IntervalRow],
) -> tuple[Finding, ...]:
    """What falls short of something that units stand under today."""
    duties = {duty.id: duty for duty in catalogue.duties}
    found = []
    for each in intervals:
        said = each.appraisal
        shared = each.subject_kind != "unit" and said.outcome is Outcome.NOT_MET
        touched = _under(context, each, units) if shared else 0
        if touched and said.duty in duties:
            name = _name(context, each)
            kind = Subject(each.subject_kind)
            found.append(Finding(duties[said.duty], kind, name, each, touched))
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.duty.severity)))


def _under(context: Context, interval: IntervalRow, units: Iterable[Unit]) -> int:
    """How many units fail it and stand under this very release, model or maker."""
    failing = (unit for unit in units if interval.appraisal.duty in unit.failing)
    return sum(
        context.store.subjects(unit.row.id).get(interval.subject_kind) == interval.subject
        for unit in failing
    )


def _name(context: Context, interval: IntervalRow) -> str:
    if interval.subject_kind != "release":
        return interval.subject
    row = context.store.release(interval.subject)
    return f"{row.release.version} of {row.release.model}" if row else interval.subject[:16]


def by_duty(intervals: Iterable[IntervalRow]) -> dict[str, list[IntervalRow]]:
    """Intervals, by their duty."""
    found: dict[str, list[IntervalRow]] = defaultdict(list)
    for interval in intervals:
        found[interval.appraisal.duty].append(interval)
    return found
