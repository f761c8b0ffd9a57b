"""The catalogue: one duty, many regimes, and who owes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.requests import Request
from starlette.responses import Response

from ...core.device import Registration
from ...core.duties import Clause, Duty
from ...fleet.law import readings
from ...fleet.units import Unit, list_units
from ...fleet.words import SEVERITIES
from ...store import Store
from ...trouble import Trouble
from ..desk import desk, instant
from ..render import page

MOST = 100  # units that are named; the list of devices has them all


def listing(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    as_of = instant(request)
    units = list_units(here.context, as_of=as_of)
    duties = sorted(here.catalogue.duties, key=lambda duty: SEVERITIES.index(duty.severity))
    failing = {duty.id: sum(duty.id in unit.failing for unit in units) for duty in duties}
    return page(
        request,
        "duties.html",
        now=now,
        as_of=now if as_of is None else as_of,
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
    as_of = instant(request)
    moment = now if as_of is None else as_of
    units = list_units(here.context, as_of=as_of)
    failing = tuple(unit for unit in units if duty.id in unit.failing)
    shown = failing[:MOST]
    return page(
        request,
        "duty.html",
        now=now,
        as_of=moment,
        duty=duty,
        regimes={regime.id: regime for regime in here.catalogue.regimes},
        laws=readings(duty, here.catalogue, _registrations(units), moment),
        bound=sum(duty.id in unit.mandatory for unit in units),
        failing=len(failing),
        shown=tuple(zip(shown, _since(here.store, duty, shown, as_of), strict=True)),
    )


def _since(
    store: Store, duty: Duty, units: Iterable[Unit], as_of: int | None
) -> Iterator[int | None]:
    """Since when each of them fails it without a break, itself or by what it stands under."""
    kind = duty.subject.value
    fails = store.failing_since(kind=kind, as_of=as_of)
    for unit in units:
        ours = unit.row.id
        subject = ours if kind == "unit" else store.subjects(ours, as_of=as_of).get(kind, "")
        yield fails.get((kind, subject, duty.id))


def _registrations(units: Iterable[Unit]) -> list[Registration]:
    return [unit.registration for unit in units if unit.registration]


def _by_regime(duty: Duty) -> dict[str, list[Clause]]:
    found: dict[str, list[Clause]] = {}
    for clause in sorted(duty.clauses, key=lambda each: not each.decides):
        found.setdefault(clause.regime, []).append(clause)
    return found
