"""Templates to pages: everything is escaped, and strangers' text is bounded and made visible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from .. import __version__
from ..fleet import words
from .desk import desk

_HERE = Path(__file__).parent


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "iso": words.iso,
        "day": words.day,
        "minute": words.minute,
        "plain": words.plain,
        "short": words.short,
        "sentence": _sentence,
    }
    made.globals |= {
        "ago": words.ago,
        "count": words.count,
        "state_glyph": words.STATE_GLYPH,
        "outcome_glyph": words.OUTCOME_GLYPH,
        "version": __version__,
    }
    return made


def _sentence(text: str) -> str:
    """A clause as a sentence: capital and full stop."""
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


ENVIRONMENT = _environment()


def page(
    request: Request, template: str, *, now: int, status: int = 200, **values: Any
) -> HTMLResponse:
    """One page; `now` is the instant that it speaks of."""
    html = ENVIRONMENT.get_template(template).render(
        path=request.url.path,
        query=request.query_params,
        now=now,
        catalogue_digest=desk(request).catalogue.digest,
        **values,
    )
    return HTMLResponse(html, status_code=status)
