"""The list of devices, narrowed by the query; and one device with all its proofs."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from ...core.verdict import State
from ...fleet.courses import courses, states
from ...fleet.device import view_device
from ...fleet.units import Unit, list_units
from ...fleet.words import STATES_BY_WORST
from ..desk import desk, instant
from ..render import page


def listing(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    units = list_units(here.context, as_of=instant(request))
    shown = tuple(unit for unit in units if _wanted(unit, request.query_params))
    duty = next(
        (d for d in here.catalogue.duties if d.id == request.query_params.get("duty")), None
    )
    return page(
        request,
        "devices.html",
        now=now,
        units=tuple(sorted(shown, key=_worst_first)),
        total=len(units),
        duty=duty,
        states=tuple(State),
        models=sorted({unit.model for unit in units}),
    )


def show(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    as_of = instant(request)
    ref = request.path_params["ref"]
    device = view_device(here.context, here.catalogue, ref, now=now, as_of=as_of)
    ident = device.row.id
    return page(
        request,
        "device.html",
        now=now,
        device=device,
        history=states(here.store, ident, as_of=as_of),
        courses=courses(here.store, here.catalogue, ident, now=now, as_of=as_of),
    )


def _worst_first(unit: Unit) -> tuple[int, str]:
    return STATES_BY_WORST.index(unit.state), unit.row.name


def _wanted(unit: Unit, query: Mapping[str, str]) -> bool:
    parts = {name: query.get(name) for name in ("state", "model", "duty", "regime")}
    return unit.matches(query.get("q", ""), **parts)
