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
    subject: str
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
    catalogue: Catalogue, units: tuple[Unit, ...], intervals: Iterable[IntervalRow]
) -> tuple[Finding, ...]:
    duties = {duty.id: duty for duty in catalogue.duties}
    found = []
    for each in intervals:
        said = each.appraisal
        if each.subject_kind == "unit" or said.outcome is not Outcome.NOT_MET:
            continue
        touched = sum(said.duty in unit.failing for unit in units if _under(each, unit))
        if touched and said.duty in duties:
            kind = Subject(each.subject_kind)
            found.append(Finding(duties[said.duty], kind, each.subject, each, touched))
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.duty.severity)))


def _under(interval: IntervalRow, unit: Unit) -> bool:
    """A model's finding stands on its units; of a release or maker any unit may be concerned."""
    return interval.subject_kind != "model" or interval.subject == unit.model


def by_duty(intervals: Iterable[IntervalRow]) -> dict[str, list[IntervalRow]]:
    """Intervals, by their duty."""
    found: dict[str, list[IntervalRow]] = defaultdict(list)
    for interval in intervals:
        found[interval.appraisal.duty].append(interval)
    return found
