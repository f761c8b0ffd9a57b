"""When a page cannot be shown: what, why, and where to go; never a traceback."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..store import StoreUnavailable
from ..trouble import Trouble
from .render import page


def _trouble(request: Request, err: Exception) -> Response:
    if not isinstance(err, Trouble):
        raise err
    status = 404 if err.code.endswith(".unknown") else 400
    return _show(request, status, err.code, err.what, err.why, err.fix)


def _store(request: Request, err: Exception) -> Response:
    return _show(
        request,
        503,
        "store.unavailable",
        "the store does not answer",
        str(err),
        "troth doctor",
    )


def _http(request: Request, err: Exception) -> Response:
    status = err.status_code if isinstance(err, HTTPException) else 500
    what = "there is no such page" if status == 404 else "this cannot be done here"
    return _show(request, status, f"page.{status}", what, "", "")


def refuse_name(request: Request, name: str) -> Response:
    """Who asks for us under a name that is not this machine's."""
    return _show(
        request,
        421,
        "page.host",
        f"these pages do not answer to {name[:60]!r}",
        "They are for this machine alone; a proxy before them asks for 127.0.0.1.",
        "",
    )


def _fault(request: Request, _: Exception) -> Response:
    return _show(
        request, 500, "internal", "this is a fault of Troth", "The server's log says more.", ""
    )


def _show(request: Request, status: int, code: str, what: str, why: str, fix: str) -> Response:
    now = int(time.time())
    return page(
        request, "problem.html", now=now, status=status, code=code, what=what, why=why, fix=fix
    )


HANDLERS: Mapping[Any, Any] = {
    Trouble: _trouble,
    StoreUnavailable: _store,
    HTTPException: _http,
    500: _fault,
}
