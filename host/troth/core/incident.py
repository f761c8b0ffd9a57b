"""The reporting clocks of the CRA, Article 14: instants in, deadlines out.

From the moment the maker is aware: an early warning within 24 hours and a notification within 72,
then a final report: 14 days after a fix is available for an exploited flaw (14(2)), one month
after the notification for a severe incident (14(4)). A report that came late stays late.
"""

from __future__ import annotations

import calendar
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from .feeds import NEVER

IN_FORCE = 1_789_084_800  # 2026-09-11: who was aware before owes no report
_HOUR, _DAY = 3600, 86_400


class Kind(StrEnum):
    EXPLOITED = "exploited"  # an actively exploited vulnerability
    SEVERE = "severe"  # a severe incident with an impact on the product's security


class Step(StrEnum):
    """What can be reported, and what else moves the clocks."""

    WARNING = "warning"
    NOTICE = "notice"
    FIX = "fix"  # a corrective or mitigating measure is available
    FINAL = "final"
    CLOSED = "closed"
    MISTAKEN = "mistaken"  # it was no incident: what was not due yet is not owed any more


REPORTS = (Step.WARNING, Step.NOTICE, Step.FINAL)


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident of these models, with the instant of each step that was taken."""

    id: str
    kind: Kind
    title: str
    models: tuple[str, ...]  # empty: all of the maker's
    aware: int  # unix s
    steps: tuple[tuple[Step, int], ...] = ()
    flaw: str = ""  # its CVE number, if it has one

    def at(self, step: Step) -> int | None:
        return dict(self.steps).get(step)

    def is_about(self, models: Container[str]) -> bool:
        return not self.models or any(model in models for model in self.models)


class Filing(NamedTuple):
    """One report that is owed: by when, and when it was made."""

    step: Step
    due: int
    made: int | None

    def is_late(self) -> bool:
        return self.made is not None and self.made > self.due


def filings(incident: Incident) -> tuple[Filing, ...]:
    """The reports whose deadline is known by now."""
    if incident.aware < IN_FORCE:
        return ()
    found = [
        Filing(Step.WARNING, incident.aware + 24 * _HOUR, incident.at(Step.WARNING)),
        Filing(Step.NOTICE, incident.aware + 72 * _HOUR, incident.at(Step.NOTICE)),
    ]
    begins = incident.at(Step.FIX if incident.kind is Kind.EXPLOITED else Step.NOTICE)
    if begins is not None:
        within = begins + 14 * _DAY if incident.kind is Kind.EXPLOITED else a_month_after(begins)
        found.append(Filing(Step.FINAL, within, incident.at(Step.FINAL)))
    ended = incident.at(Step.MISTAKEN)
    if ended is not None:
        found = [each for each in found if each.made is not None or each.due <= ended]
    return tuple(found)


def is_open(incident: Incident) -> bool:
    return incident.at(Step.CLOSED) is None and incident.at(Step.MISTAKEN) is None


def owed(incident: Incident) -> tuple[Step, ...]:
    """The reports that are still to be made before it can be closed, due already or not."""
    if incident.aware < IN_FORCE:
        return ()
    return tuple(step for step in REPORTS if incident.at(step) is None)


def next_due(incidents: Iterable[Incident]) -> int:
    """The first deadline of a report that is not made; NEVER: none is owed."""
    due = (each.due for one in incidents for each in filings(one) if each.made is None)
    return min(due, default=NEVER)


def late(incidents: Iterable[Incident]) -> tuple[str, ...]:
    """Every report that came after its deadline."""
    return tuple(
        f"{one.id} {each.step}" for one in incidents for each in filings(one) if each.is_late()
    )


def a_month_after(at: int) -> int:
    """The same day and time of the next month, or its last day."""
    day = datetime.fromtimestamp(at, UTC)
    year, month = (day.year + 1, 1) if day.month == 12 else (day.year, day.month + 1)
    last = calendar.monthrange(year, month)[1]
    return int(day.replace(year=year, month=month, day=min(day.day, last)).timestamp())
