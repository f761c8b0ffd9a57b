"""What every answer carries: no script, no frame, nothing from another place, nothing sniffed.

And who is asked: on loopback we answer to loopback's names alone. Another name that leads here was
made to by somebody else's page, in order to read ours (DNS rebinding).
"""

from __future__ import annotations

from ipaddress import ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .problems import refuse_name

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware: no answer under a false name, and the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        name = _name(Headers(scope=scope).get("host", ""))
        if _is_loopback((scope.get("server") or ("", 0))[0]) and not _is_loopback(name):
            await refuse_name(Request(scope), name)(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)


def _name(host: str) -> str:
    """A Host header without its port."""
    inside, bracket, _ = host.removeprefix("[").partition("]")
    return inside if bracket else host.partition(":")[0]


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return f".{name.lower()}".endswith(".localhost")
