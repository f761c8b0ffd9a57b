"""What a report says of a duty, and to whom: many are told the same, so that is said once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ..core.device import Registration
from ..core.duties import Clause, Duty, Outcome, Party
from ..core.verdict import Force, Regime, decides, force
from ..fleet.check import BASELINE

STALE = "stale"


@dataclass(frozen=True, slots=True)
class Law:
    """One clause of the regime behind a finding, and its force for these units."""

    clause: Clause
    force: Force
    counts: bool  # not met, it is evidence of breach

    @property
    def text(self) -> str:
        star = "*" if self.clause.confidence == "low" else ""
        return f"{self.clause.provision}{star}"

    @property
    def words(self) -> str:
        """With its weight: who reads the provision alone takes advice for law."""
        clause = self.clause
        condition = f" ({clause.condition})" if clause.condition else ""
        weight = "decided" if clause.decides else "supported"
        told = f"{self.text} {clause.status.value}{condition}, {weight}".strip()
        return told if self.force is not Force.TO_COME else f"{told}, not in force yet"


def laws(duty: Duty, regime: Regime, units: Iterable[Registration], as_of: int) -> tuple[Law, ...]:
    """What the regime asks with this duty, as hard as it asks it of any of these."""
    strongest = list(Force)
    found = []
    for line in regime.lines:
        if line.duty != duty.id:
            continue
        strength = min(
            (force(line, regime, unit, as_of) for unit in units),
            key=strongest.index,
            default=Force.ELSEWHERE,
        )
        counts = decides(line) and strength in (Force.BINDS, Force.VIEW)
        found.append(Law(line.clause, strength, counts))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One answer, whomever it was given."""

    duty: Duty
    outcome: str  # of Outcome, or stale: the last word is too old to count
    reason: str  # of what is not shown
    kind: str
    laws: tuple[Law, ...]
    party: Party | None
    assurance: str
    live: bool = False  # each unit in words that may tell values of its own reports

    @property
    def answer(self) -> str:
        if self.is_breach:
            return "evidence of breach"
        return f"{self.outcome} ({self.reason})" if self.reason else self.outcome

    @property
    def is_breach(self) -> bool:
        return (
            self.outcome == Outcome.NOT_MET
            and self.party is not Party.OPERATOR
            and any(law.counts and law.clause.regime != BASELINE for law in self.laws)
        )


class Finding(NamedTuple):  # there may be millions
    """One answer about one subject, with the units that it is about."""

    said: Said
    subject: str
    units: tuple[str, ...]
    because: str
    remedy: str
    since: str  # of what is not met: since when without a break, however it was reworded
    evidence: str

    @property
    def duty(self) -> Duty:
        return self.said.duty

    @property
    def outcome(self) -> str:
        return self.said.outcome

    @property
    def reason(self) -> str:
        return self.said.reason

    @property
    def kind(self) -> str:
        return self.said.kind

    @property
    def laws(self) -> tuple[Law, ...]:
        return self.said.laws

    @property
    def party(self) -> Party | None:
        return self.said.party

    @property
    def assurance(self) -> str:
        return self.said.assurance

    @property
    def answer(self) -> str:
        return self.said.answer

    @property
    def is_breach(self) -> bool:
        return self.said.is_breach
