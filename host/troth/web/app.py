"""The operator's pages: server-rendered, no script, nothing from elsewhere, and never yesterday's
truth: what the clock alone has turned is written before a page is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ..core.reference import Policy
from ..core.verdict import Catalogue
from ..store import Store
from .desk import Desk
from .guard import Guard
from .pages import devices, docs, duties, evidence, feeds, today
from .problems import HANDLERS

HERE = Path(__file__).parent


def pages(
    store: Store,
    catalogue: Catalogue,
    policy: Policy,
    *,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The ASGI application of all pages over one store."""
    app = Starlette(
        routes=[
            Route("/", today.show),
            Route("/devices", devices.listing),
            Route("/devices/{ref}", devices.show),
            Route("/evidence/{ref:int}.cbor", evidence.download),
            Route("/evidence/{ref:int}.set.cbor", evidence.download_set),
            Route("/evidence/{ref}", evidence.show),
            Route("/duties", duties.listing),
            Route("/duties/{ref}", duties.show),
            Route("/feeds", feeds.listing),
            Route("/docs", docs.listing),
            Route("/docs/{ref}", docs.show),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers=HANDLERS,
    )
    app.state.desk = Desk(store, catalogue, policy, clock)
    return app
