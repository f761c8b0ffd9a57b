"""From answers to a state: which duties bind this unit today, and what that makes of it.

A unit is judged against the baseline and the regimes that bind this very unit: by product class,
market and the date on which it was placed on the market (HOUSE "From answers to a state").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from .device import Registration
from .duties import (
    Appraisal,
    Clause,
    Duty,
    Facts,
    Outcome,
    Severity,
    Status,
    answer,
    appraise,
    first_after,
)
from .labels import DECLARED_ONLY
from .waiver import covered

_GRAVE = (Severity.CRITICAL, Severity.HIGH)


class State(StrEnum):
    COMPLIANT = "compliant"
    NON_COMPLIANT = "non-compliant"
    WAIVED = "waived"
    STALE = "stale"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a regime: a duty under a clause, in force from a date."""

    duty: str
    clause: Clause
    since: int | None = None  # unix s; None: from the regime's own start
    until: int | None = None
    placed_from: int | None = None  # binds units placed from here; None: as the regime says


@dataclass(frozen=True, slots=True)
class Regime:
    id: str
    title: str
    version: str
    markets: tuple[str, ...]  # empty: any; troth-baseline binds own-use units too
    product_classes: tuple[str, ...]
    placed_from: int | None  # binds units placed on the market from here ...
    placed_until: int | None  # ... to here
    in_force: int | None
    lines: tuple[Line, ...]
    own_use: bool = False
    binding: bool = True  # False: a view (a standard, a guide), never part of a duty set
    law: str = ""  # what it is: the act, or the standard
    condition: str = ""  # when it applies, in our words


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All duties and regimes, loaded and checked; the digest names exactly this text."""

    duties: tuple[Duty, ...]
    regimes: tuple[Regime, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Upcoming:
    """A line that will bind this unit from a date on; no outcome yet."""

    duty: str
    regime: str
    provision: str
    since: int
    condition: str = ""  # empty: it will bind this very unit; else what must happen first


@dataclass(frozen=True, slots=True)
class DutySet:
    """The duties that decide one unit's state now, and those to come."""

    regimes: tuple[str, ...]
    mandatory: frozenset[str]
    grave: frozenset[str]  # those of them whose silence leaves the state unknown
    upcoming: tuple[Upcoming, ...]
    digest: str  # of regimes and mandatory: it stays when their text alone is another
    catalogue: str  # digest of the text that they were chosen from


class Verdict(NamedTuple):
    device: str
    state: State
    appraisals: tuple[Appraisal, ...]  # all duties of the catalogue, mandatory or not
    duty_set: DutySet
    until: int | None  # the first instant at which the clock alone changes an answer or the set

    @property
    def failing(self) -> tuple[Appraisal, ...]:
        """The not-met answers of the mandatory duties."""
        return tuple(
            each
            for each in self.appraisals
            if each.outcome is Outcome.NOT_MET and each.duty in self.duty_set.mandatory
        )


def duty_set(catalogue: Catalogue, unit: Registration, now: int) -> DutySet:
    """Choose by product class, market and the date on which this very unit was placed."""
    bound: list[str] = []
    mandatory: set[str] = set()
    grave: set[str] = set()
    severities = {duty.id: duty.severity for duty in catalogue.duties}
    upcoming: list[Upcoming] = []
    for regime in catalogue.regimes:
        if not _concerns(regime, unit):
            continue
        if _placed(unit, regime.placed_from, regime.placed_until) and _in_force(regime, now):
            bound.append(regime.id)
        for line in regime.lines:
            if not _counts(line, unit):
                continue
            if _to_come(line, regime, now):
                upcoming.append(_upcoming(line, regime, unit))
            elif _binds(line, regime, unit, now):
                mandatory.add(line.duty)
                if (line.clause.severity or severities.get(line.duty)) in _GRAVE:
                    grave.add(line.duty)
    return DutySet(
        regimes=tuple(bound),
        mandatory=frozenset(mandatory),
        grave=frozenset(grave),
        upcoming=tuple(sorted(upcoming, key=lambda each: (each.since, each.duty, each.provision))),
        digest=_digest(bound, mandatory),
        catalogue=catalogue.digest,
    )


class Force(StrEnum):
    """What one line of a regime is to one unit at one instant."""

    BINDS = "binds"  # it counts for the state
    TO_COME = "to come"
    SUPPORTS = "supports"  # not mandatory, its condition not known to hold, or not decided
    ELSEWHERE = "elsewhere"  # another market, class or date of placing
    VIEW = "view"  # its regime binds nobody


def force(line: Line, regime: Regime, unit: Registration, now: int) -> Force:
    """Told of a single line; `duty_set` is the sum of those that bind."""
    if not regime.binding:
        return Force.VIEW
    if not _concerns(regime, unit):
        return Force.ELSEWHERE
    if not _counts(line, unit):
        return Force.SUPPORTS
    if _to_come(line, regime, now):
        return Force.TO_COME
    return Force.BINDS if _binds(line, regime, unit, now) else Force.ELSEWHERE


def decides(line: Line) -> bool:
    """Can the line count for a state? Mandatory, or conditional on what a product is; decided."""
    clause = line.clause
    conditional = clause.status is Status.CONDITIONAL and bool(clause.traits)
    return clause.decides and (clause.status is Status.MANDATORY or conditional)


def _counts(line: Line, unit: Registration) -> bool:
    """A condition that nobody is known to fulfil makes no breach."""
    traits = line.clause.traits
    return decides(line) and (not traits or not traits.isdisjoint(unit.traits))


def _concerns(regime: Regime, unit: Registration) -> bool:
    """Is this unit of a kind, and on a market, that the regime speaks of?"""
    if not regime.binding or (unit.own_use and not regime.own_use):
        return False
    if regime.markets and unit.market not in regime.markets:
        return False
    return not regime.product_classes or unit.product_class in regime.product_classes


def _in_force(regime: Regime, now: int) -> bool:
    return regime.in_force is None or regime.in_force <= now


def _placed(
    unit: Registration, since: int | None, until: int | None, *, anew: bool = False
) -> bool:
    if since is None and until is None:
        return True
    placed = unit.placed_on_market
    if anew and placed is not None:
        placed = max(placed, unit.modified or placed)
    if placed is None:
        return False
    return (since is None or since <= placed) and (until is None or placed < until)


def starts(line: Line, regime: Regime) -> int | None:
    """From when the line counts; None: always."""
    return line.since if line.since is not None else regime.in_force


def _to_come(line: Line, regime: Regime, now: int) -> bool:
    begins = starts(line, regime)
    return begins is not None and begins > now


def _binds(line: Line, regime: Regime, unit: Registration, now: int) -> bool:
    ended = line.until is not None and line.until <= now
    if line.placed_from is None:
        return not ended and _placed(unit, regime.placed_from, regime.placed_until)
    # a line with a day of its own reaches older units too, once they are substantially modified
    return not ended and _placed(unit, line.placed_from, regime.placed_until, anew=True)


def _upcoming(line: Line, regime: Regime, unit: Registration) -> Upcoming:
    """A unit placed before the day stays free of the line: a forecast must not say otherwise."""
    since = line.placed_from
    condition = ""
    if unit.placed_on_market is not None and not _placed(unit, since, None, anew=True):
        condition = "binds units placed from that day, this one only if substantially modified"
    begins = starts(line, regime) or 0
    return Upcoming(line.duty, regime.id, line.clause.provision, begins, condition)


def _digest(regimes: list[str], mandatory: set[str]) -> str:
    named = [sorted(regimes), sorted(mandatory)]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def next_change(catalogue: Catalogue, unit: Registration, now: int) -> int | None:
    """The first instant at which the duty set of this unit changes by the clock."""
    instants = [
        instant
        for regime in catalogue.regimes
        if _concerns(regime, unit)
        for line in regime.lines
        for instant in (starts(line, regime), line.until)
    ]
    return first_after(now, *instants)


def state_of(
    facts: Facts, outcomes: Mapping[str, Outcome], mandatory: frozenset[str], grave: frozenset[str]
) -> State:
    """The state rule of HOUSE; `grave` is that of the duty set."""
    if not mandatory:
        return State.UNKNOWN
    if is_too_old(facts):
        return State.STALE
    found = {outcomes[duty] for duty in mandatory if duty in outcomes}
    if Outcome.NOT_MET in found:
        return State.NON_COMPLIANT
    silent = any(outcomes.get(duty) is Outcome.NOT_SHOWN for duty in mandatory & grave)
    if silent or Outcome.ERROR in found or len(mandatory - outcomes.keys()) > 0:
        return State.UNKNOWN
    return State.WAIVED if Outcome.WAIVED in found else State.COMPLIANT


def is_too_old(facts: Facts) -> bool:
    """Is the last evidence older than the policy allows? An opted-out unit owes none."""
    last, allowed = facts.v.last_evidence, facts.r.max_evidence_age
    if last is None or allowed is None or facts.u.monitoring_optout:
        return False
    return facts.now - last >= allowed


def judge(facts: Facts, catalogue: Catalogue) -> Verdict:
    """Answer every duty and reach the state; pure, total, never raises."""
    appraisals = covered(facts, catalogue.duties, appraise(facts, catalogue.duties))
    chosen = duty_set(catalogue, facts.u, facts.now)
    outcomes = {each.duty: each.outcome for each in appraisals}
    return Verdict(
        device=facts.u.device,
        state=state_of(facts, outcomes, chosen.mandatory, chosen.grave),
        appraisals=appraisals,
        duty_set=chosen,
        until=first_after(
            facts.now,
            facts.until,
            next_change(catalogue, facts.u, facts.now),
            *(each.until for each in appraisals),
        ),
    )


def would_fail_if_sold(facts: Facts, catalogue: Catalogue) -> tuple[str, ...]:
    """The duties that this very unit would fail on any market, as it is now.

    What is not met counts, and what the unit itself leaves open and only its maker's declaration,
    which nobody made, could excuse. What may still be declared of the unit does not count.
    """
    return tuple(duty.id for duty in catalogue.duties if _would_fail(facts, duty))


def _would_fail(facts: Facts, duty: Duty) -> bool:
    given = answer(facts, duty)
    asks_unit = any(name.startswith("d.") and name not in DECLARED_ONLY for name in duty.names)
    inexcusable = bool(given.missing) and all(name.startswith("m.") for name in given.missing)
    return given.outcome is Outcome.NOT_MET or (asks_unit and inexcusable)
