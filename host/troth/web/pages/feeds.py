"""What is held from outside, how old it is, and what nobody can answer for want of it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...fleet.sources import gaps, held
from ...fleet.turned import subject_name
from ..desk import desk, instant
from ..render import page


def listing(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    as_of = instant(request)
    moment = now if as_of is None else as_of
    sources = held(here.store, here.policy, now=moment)
    lists = {each.row.subject for each in sources if each.row.kind == "sbom"}
    return page(
        request,
        "feeds.html",
        now=now,
        as_of=moment,
        sources=sources,
        releases={each: subject_name(here.context, "release", each) for each in lists},
        gaps=gaps(here.context, here.catalogue, as_of=as_of),
        days=here.policy.max_feed_age // 86_400,
    )
