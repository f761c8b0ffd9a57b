"""Waivers: somebody answers for a shortfall, in writing, until a day; it is judged all the same.

A waiver never changes what was found. It turns not-met and not-shown into `waived`, says who, why
and until when, and its end is an instant of the clock like any other (HOUSE "From answers to a
state"). What is judged once for a model or a maker cannot be waived for one unit alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from .device import Registration
from .duties import Appraisal, Duty, Facts, Outcome, Party, Severity, Subject, first_after

LONGEST = 366 * 86_400  # a year, whichever
EVERY = "*"  # any duty: the grace after enrolment alone
_FALLS_SHORT = (Outcome.NOT_MET, Outcome.NOT_SHOWN)


class Scope(StrEnum):
    """Which units a waiver is for."""

    DEVICE = "device"
    MODEL = "model"
    TAG = "tag"
    SITE = "site"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Waiver:
    """One signed waiver, as the store's door verified it."""

    id: str
    duty: str
    scope: Scope
    subject: str  # device id, model, tag or site; empty for all
    justification: str
    ticket: str
    requested_by: str
    approved_by: str
    party: Party  # on whose behalf it is approved
    compensating: str
    created: int  # unix s
    expires: int
    revoked: int | None = None

    @property
    def end(self) -> int:
        return self.expires if self.revoked is None else min(self.expires, self.revoked)

    def holds(self, now: int) -> bool:
        return self.created <= now < self.end

    def is_for(self, unit: Registration) -> bool:
        match self.scope:
            case Scope.DEVICE:
                return self.subject == unit.device
            case Scope.MODEL:
                return self.subject == unit.model
            case Scope.TAG:
                return self.subject in unit.tags
            case Scope.SITE:
                return self.subject == unit.site
            case Scope.ALL:
                return True


def grace(unit: Registration, allowed_s: int) -> Waiver | None:
    """The operator's policy for a unit that was enrolled a moment ago; None: there is none."""
    if allowed_s <= 0 or unit.created is None:
        return None
    return Waiver(
        id="grace",
        duty=EVERY,
        scope=Scope.DEVICE,
        subject=unit.device,
        justification="the unit was enrolled a moment ago",
        ticket="",
        requested_by="policy",
        approved_by="policy",
        party=Party.OPERATOR,
        compensating="",
        created=unit.created,
        expires=unit.created + allowed_s,
    )


def reaches(scope: Scope, subject: Subject) -> bool:
    """Can a duty of this subject be waived for these units? A shared answer is not one unit's."""
    if subject is Subject.UNIT:
        return True
    return scope is Scope.ALL or (scope is Scope.MODEL and subject is not Subject.MAKER)


def excuses(waiver: Waiver, said: Appraisal, severity: Severity) -> bool:
    """Does a waiver speak of this shortfall? Whoever owes a critical one cannot excuse himself."""
    if waiver.duty == EVERY:
        graver = severity is Severity.CRITICAL and said.outcome is Outcome.NOT_MET
        return said.subject is Subject.UNIT and not graver
    if waiver.duty != said.duty or not reaches(waiver.scope, said.subject):
        return False
    return not is_own_excuse(waiver.party, said.owed_by, severity)


def is_own_excuse(approves: Party, owes: Party | None, severity: Severity) -> bool:
    return severity is Severity.CRITICAL and approves is Party.MAKER and owes is Party.MAKER


def covered(
    facts: Facts, duties: tuple[Duty, ...], appraisals: tuple[Appraisal, ...]
) -> tuple[Appraisal, ...]:
    """The answers with what is waived told as waived; the very same when nothing is."""
    waivers = [waiver for waiver in facts.waivers if facts.now < waiver.end]
    if not waivers:
        return appraisals
    return tuple(
        _covered(facts.now, waivers, duty.severity, said) if said.outcome in _FALLS_SHORT else said
        for duty, said in zip(duties, appraisals, strict=True)
    )


def _covered(now: int, waivers: Iterable[Waiver], severity: Severity, said: Appraisal) -> Appraisal:
    ours = [waiver for waiver in waivers if excuses(waiver, said, severity)]
    held = max((each for each in ours if each.holds(now)), key=_rank, default=None)
    until = first_after(now, said.until, *(each.created for each in ours))
    if held is None:
        return said if until == said.until else replace(said, until=until)
    return replace(
        said,
        outcome=Outcome.WAIVED,
        because=f"{_words(held)}; {said.because}",
        until=first_after(now, until, held.end),
    )


def _rank(waiver: Waiver) -> tuple[int, str]:
    return waiver.end, waiver.id


def _words(waiver: Waiver) -> str:
    until = f"{datetime.fromtimestamp(waiver.end, UTC):%Y-%m-%d %H:%MZ}"
    if waiver.duty == EVERY:
        return f"grace after enrolment until {until}"
    ticket = f" ({waiver.ticket})" if waiver.ticket else ""
    return f"waived until {until} by {waiver.approved_by}{ticket}: {waiver.justification}"
