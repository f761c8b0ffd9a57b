"""Today: the morning picture."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...fleet import board
from ...fleet.sources import held
from ...trouble import Trouble
from ..desk import desk, instant
from ..render import page


def show(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    regime = request.query_params.get("regime") or None
    if regime and regime not in {each.id for each in here.catalogue.regimes}:
        raise Trouble("regime.unknown", f"no regime {regime[:40]!r}", fix="troth regime list")
    picture = board.today(
        here.context, here.catalogue, now=now, as_of=instant(request), regime=regime
    )
    names = {
        each.device: here.context.name(each.device) for each in picture.rejections if each.device
    }
    last = (
        (unit.id, here.store.latest_evidence(unit.id, picture.as_of))
        for unit in picture.silent[:12]
    )
    heard = {ident: row.received if row else None for ident, row in last}
    old = [each for each in held(here.store, here.policy, now=picture.as_of) if each.is_stale]
    return page(
        request,
        "today.html",
        now=now,
        today=picture,
        regime=regime,
        names=names,
        heard=heard,
        old=old,
    )
