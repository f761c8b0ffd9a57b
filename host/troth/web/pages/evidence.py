"""One report against its reference; its bytes to take away."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from ...fleet.diag import hexdump
from ...fleet.evidence import file_name, find_evidence, view_evidence
from ...trouble import Trouble
from ..desk import desk
from ..render import page


def show(request: Request) -> Response:
    here = desk(request)
    now = here.turn()
    against = "previous" if request.query_params.get("against") == "previous" else "ref"
    view = view_evidence(here.context, here.catalogue, request.path_params["ref"], against=against)
    return page(
        request,
        "evidence.html",
        now=now,
        view=view,
        against=against,
        hex=hexdump(view.row.raw),
        file=file_name(view.row),
    )


def download(request: Request) -> Response:
    row = find_evidence(desk(request).context, str(request.path_params["ref"]))
    return _file(row.raw, file_name(row))


def download_set(request: Request) -> Response:
    here = desk(request)
    row = find_evidence(here.context, str(request.path_params["ref"]))
    known = here.store.set_raw(row.set_digest)
    if known is None:
        raise Trouble("set.unknown", f"the claims-set of evidence {row.id} is not in the store")
    return _file(known.raw, file_name(row).replace(".cbor", ".set.cbor"))


def _file(raw: bytes, name: str) -> Response:
    return Response(
        raw,
        media_type="application/cbor",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
