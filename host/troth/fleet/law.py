"""One duty, many regimes: what each clause is to a unit today, said beside the same proof."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.device import Registration
from ..core.duties import Clause, Duty, Status
from ..core.verdict import Catalogue, Force, Line, Regime, force
from .words import day


@dataclass(frozen=True, slots=True)
class Reading:
    """A clause with its force for one unit (or the strongest over several), in words."""

    clause: Clause
    force: Force
    words: str

    @property
    def binds(self) -> bool:
        return self.force is Force.BINDS


_ORDER = tuple(Force)


def readings(
    duty: Duty, catalogue: Catalogue, units: Iterable[Registration], now: int
) -> tuple[Reading, ...]:
    """Every clause of a duty, those that bind any of these units first; the baseline has none."""
    kinds = tuple({_kind(unit): unit for unit in units}.values())
    found = [
        _reading(line, regime, kinds, now)
        for regime in catalogue.regimes
        for line in regime.lines
        if line.duty == duty.id and line.clause.provision
    ]
    return tuple(sorted(found, key=lambda each: _ORDER.index(each.force)))


def _kind(unit: Registration) -> tuple[object, ...]:
    """Units that no regime tells apart."""
    placed = unit.placed_on_market, unit.modified
    return unit.own_use, unit.market, unit.product_class, placed, unit.traits


def _reading(line: Line, regime: Regime, units: Iterable[Registration], now: int) -> Reading:
    strongest = min(
        (force(line, regime, unit, now) for unit in units),
        key=_ORDER.index,
        default=Force.ELSEWHERE,
    )
    return Reading(line.clause, strongest, _words(line, regime, strongest))


def _words(line: Line, regime: Regime, strength: Force) -> str:
    if strength is Force.TO_COME and line.placed_from is not None:
        return f"for units placed from {day(line.placed_from)}"
    if strength is Force.TO_COME:
        return f"from {day(line.since or regime.in_force or 0)}"
    if strength is Force.SUPPORTS and line.clause.status is not Status.MANDATORY:
        return line.clause.status.value
    return {
        Force.BINDS: "decides",
        Force.SUPPORTS: "supports",
        Force.VIEW: "view",
        Force.ELSEWHERE: "does not bind this unit",
    }[strength]
