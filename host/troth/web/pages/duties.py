"""The catalogue: one duty, many regimes, and who owes it."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from ...core.device import Registration
from ...core.duties import Clause, Duty
from ...fleet.law import readings
from ...fleet.units import Unit, list_units
from ...fleet.words import SEVERITIES
from ...trouble import Trouble
from ..desk import desk
from ..render import page


def listing(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    units = list_units(here.context)
    duties = sorted(here.catalogue.duties, key=lambda duty: SEVERITIES.index(duty.severity))
    failing = {duty.id: sum(duty.id in unit.failing for unit in units) for duty in duties}
    return page(
        request,
        "duties.html",
        now=now,
        duties=duties,
        regimes=here.catalogue.regimes,
        clauses={duty.id: _by_regime(duty) for duty in duties},
        failing=failing,
    )


def show(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    ref = request.path_params["ref"]
    duty = next((each for each in here.catalogue.duties if each.id == ref), None)
    if duty is None:
        raise Trouble("duty.unknown", f"no duty {ref[:60]!r}", fix="troth duty list")
    units = list_units(here.context)
    return page(
        request,
        "duty.html",
        now=now,
        duty=duty,
        regimes={regime.id: regime for regime in here.catalogue.regimes},
        laws=readings(duty, here.catalogue, _registrations(units), now),
        bound=sum(duty.id in unit.mandatory for unit in units),
        failing=tuple(unit for unit in units if duty.id in unit.failing),
    )


def _registrations(units: Iterable[Unit]) -> list[Registration]:
    return [unit.registration for unit in units if unit.registration]


def _by_regime(duty: Duty) -> dict[str, list[Clause]]:
    found: dict[str, list[Clause]] = {}
    for clause in sorted(duty.clauses, key=lambda each: not each.decides):
        found.setdefault(clause.regime, []).append(clause)
    return found
