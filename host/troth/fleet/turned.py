"""What changed since yesterday, and what is judged once for many units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..core.duties import Duty, Outcome, Subject
from ..core.verdict import Catalogue
from ..store.fleet import Member
from ..store.rows import IntervalRow
from .cohorts import Cohort
from .context import Context
from .words import SEVERITIES

DAY = 86_400
Since = Mapping[tuple[str, str, str], int]  # subject kind, subject, duty


@dataclass(frozen=True, slots=True)
class Change:
    """A duty whose answer turned since yesterday, and on which devices."""

    duty: Duty
    devices: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """What falls short of a release, a model or a maker: judged once, counted once."""

    duty: Duty
    kind: Subject
    name: str  # `2.0.1 of cam-s3`, `gate-v1`
    interval: IntervalRow
    units: int


def newly_failing(
    catalogue: Catalogue, found: Iterable[Cohort], fails: Since, now: int
) -> tuple[Change, ...]:
    """What began to fail within a day, by their own reports."""
    recent = {
        (subject, duty)
        for (kind, subject, duty), since in fails.items()
        if kind == "unit" and since > now - DAY
    }
    duties = {duty for _, duty in recent}
    return _changes(
        catalogue,
        (
            (duty, member)
            for each in found
            for duty in each.failing & duties
            for member in each.members
            if (member.id, duty) in recent
        ),
    )


def fixed(
    context: Context, catalogue: Catalogue, found: Iterable[Cohort], fails: Since, now: int
) -> tuple[Change, ...]:
    """What failed a day ago and holds now."""
    before = context.store.failing_since(as_of=now - DAY)
    mended = {key[1:] for key in before if key[0] == "unit" and key not in fails}
    if not mended:
        return ()
    duties = {duty for _, duty in mended}
    return _changes(
        catalogue,
        (
            (duty, member)
            for each in found
            for duty in duties
            if (answer := each.answers.get(duty)) and answer.said.outcome is Outcome.MET
            for member in each.members
            if (member.id, duty) in mended
        ),
    )


def _changes(catalogue: Catalogue, turned: Iterable[tuple[str, Member]]) -> tuple[Change, ...]:
    """Answers about units that turned, one line a duty."""
    found: dict[str, list[Member]] = defaultdict(list)
    for duty, member in turned:
        found[duty].append(member)
    return tuple(
        Change(duty, tuple(sorted(found[duty.id], key=lambda member: member.name)))
        for duty in catalogue.duties
        if duty.id in found
    )


def findings(
    context: Context,
    catalogue: Catalogue,
    found: tuple[Cohort, ...],
    intervals: Iterable[IntervalRow],
) -> tuple[Finding, ...]:
    """What falls short of something that units stand under today."""
    duties = {duty.id: duty for duty in catalogue.duties}
    made = []
    for each in intervals:
        said = each.appraisal
        touched = _under(each, found) if said.outcome is Outcome.NOT_MET else 0
        if touched and said.duty in duties:
            kind = Subject(each.subject_kind)
            name = subject_name(context, kind, each.subject)
            made.append(Finding(duties[said.duty], kind, name, each, touched))
    return tuple(sorted(made, key=lambda finding: SEVERITIES.index(finding.duty.severity)))


def _under(interval: IntervalRow, found: Iterable[Cohort]) -> int:
    """How many units fail it and stand under this very release, model or maker."""
    kind, duty = interval.subject_kind, interval.appraisal.duty
    return sum(
        each.size
        for each in found
        if duty in each.failing and each.subjects.get(kind) == interval.subject
    )


def subject_name(context: Context, kind: str, subject: str) -> str:
    """A release by its version, all else by its own name."""
    if kind != Subject.RELEASE:
        return subject
    row = context.store.release(subject)
    return f"{row.release.version} of {row.release.model}" if row else subject[:16]
