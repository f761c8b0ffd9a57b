"""The crosswalk between regimes: it runs through the duties, and is nobody's table of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Clause, Duty, Status
from ..core.verdict import Catalogue, Regime
from .coverage import place

# a duty that these two ask, and one of the acts and labels below, is asked wherever it is sold
_EVERYWHERE = ("eu-cra", "etsi-303645-v313")
_SOMEWHERE = ("uk-psti", "au-rules-2025", "jp-jcstar-1")
_STATUSES = tuple(Status)


@dataclass(frozen=True, slots=True)
class Step:
    """From one provision to others through one duty."""

    provision: str
    decides: bool
    duty: str
    others: tuple[Clause, ...]  # of the other regime

    @property
    def strong(self) -> bool:
        """Does the duty decide both ends? Else one answer says little about the other."""
        return self.decides and any(clause.decides for clause in self.others)


@dataclass(frozen=True, slots=True)
class Demand:
    """One regime's clause that asks a duty."""

    duty: Duty
    regime: Regime
    clause: Clause


def crosswalk(one: Regime, two: Regime) -> tuple[Step, ...]:
    """Every way from a provision of one regime to those of another, in the order of the first."""
    ends: dict[str, list[Clause]] = {}
    for line in two.lines:
        ends.setdefault(line.duty, []).append(line.clause)
    steps = (
        Step(line.clause.provision, line.clause.decides, line.duty, tuple(ends[line.duty]))
        for line in one.lines
        if line.duty in ends
    )
    return tuple(sorted(steps, key=lambda step: (place(step.provision), step.duty)))


def global_minimum(catalogue: Catalogue) -> tuple[tuple[Duty, tuple[Demand, ...]], ...]:
    """Decided by the CRA, asked by EN 303 645 and one more act or label, on checked clauses."""
    found = []
    for duty in catalogue.duties:
        asked = [each for each in demands(catalogue, duty) if _asks(each.clause)]
        by = {each.regime.id for each in asked}
        decided = any(each.clause.decides for each in asked if each.regime.id == _EVERYWHERE[0])
        if decided and by.issuperset(_EVERYWHERE) and by & set(_SOMEWHERE):
            kept = (each for each in asked if each.regime.id in (*_EVERYWHERE, *_SOMEWHERE))
            found.append((duty, tuple(kept)))
    return tuple(found)


def _asks(clause: Clause) -> bool:
    asked = clause.status in (Status.MANDATORY, Status.CONDITIONAL)
    return asked and clause.confidence == "high"


def demands(catalogue: Catalogue, duty: Duty) -> tuple[Demand, ...]:
    """All clauses that ask a duty, the one with the most weight first.

    Weight is law before view, mandatory before recommended, decided before supported, and
    checked before unchecked. Of two that weigh the same the one in force for longer leads.
    """
    found = (
        Demand(duty, regime, line.clause)
        for regime in catalogue.regimes
        for line in regime.lines
        if line.duty == duty.id
    )
    return tuple(sorted(found, key=_weight))


def _weight(demand: Demand) -> tuple[object, ...]:
    clause, regime = demand.clause, demand.regime
    return (
        regime.own_use or not regime.binding,
        _STATUSES.index(clause.status),
        not clause.decides,
        clause.confidence == "low",
        regime.in_force or 0,
        regime.id,
        place(clause.provision),
    )


def provisions_of(lines: Iterable[Clause]) -> str:
    """Clauses in short: `3(2) 3(4)*`, with a star for what nobody has checked."""
    ordered = sorted(lines, key=lambda clause: place(clause.provision))
    return " ".join(
        clause.provision + ("*" if clause.confidence == "low" else "") for clause in ordered
    )
