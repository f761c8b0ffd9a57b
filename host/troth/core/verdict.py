"""From answers to a state: which duties bind this unit today, and what that makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .device import Registration
from .duties import Appraisal, Clause, Duty, Facts, Status


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


@dataclass(frozen=True, slots=True)
class DutySet:
    """The duties that decide one unit's state now, and those to come."""

    regimes: tuple[str, ...]
    mandatory: frozenset[str]
    upcoming: tuple[Upcoming, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Verdict:
    device: str
    state: State
    appraisals: tuple[Appraisal, ...]  # all duties of the catalogue, mandatory or not
    duty_set: DutySet
    until: int | None  # the first instant at which the clock alone changes an answer or the set

    @property
    def failing(self) -> tuple[Appraisal, ...]:
        """The not-met answers of the mandatory duties."""
        raise NotImplementedError


def duty_set(catalogue: Catalogue, unit: Registration, now: int) -> DutySet:
    """Choose by product class, market and the date on which this very unit was placed."""
    raise NotImplementedError


def judge(facts: Facts, catalogue: Catalogue) -> Verdict:
    """Answer every duty and reach the state; pure, total, never raises."""
    raise NotImplementedError


__all__ = [
    "Catalogue",
    "DutySet",
    "Line",
    "Regime",
    "State",
    "Status",
    "Upcoming",
    "Verdict",
    "duty_set",
    "judge",
]
