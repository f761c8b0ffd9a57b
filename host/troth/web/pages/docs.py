"""The pages of host/troth/docs, as they are in the wheel."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from ...trouble import Trouble
from ..desk import desk
from ..render import page
from ..text import to_html

_DOCS = Path(__file__).parents[2] / "docs"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


def listing(request: Request) -> Response:
    now = desk(request).turn()
    found = [(path.stem, _title(path)) for path in sorted(_DOCS.glob("*.md"))]
    return page(request, "docs.html", now=now, found=found)


def show(request: Request) -> Response:
    now = desk(request).turn()
    name = request.path_params["ref"]
    path = _DOCS / f"{name}.md"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise Trouble("page.unknown", f"no page {name[:60]!r} in the docs")
    body = to_html(path.read_text(encoding="utf-8"))
    return page(request, "doc.html", now=now, title=_title(path), body=body)


def _title(path: Path) -> str:
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return first.lstrip("# ").strip() or path.stem
