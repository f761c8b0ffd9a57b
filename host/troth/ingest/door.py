"""One connection of a board: patient, but not for ever; its two requests are answered without ASGI.

All that a fleet ever posts is opening a session and answering it. Those two go from the parser
straight to the desk and back in one write, if nothing about the request is out of the ordinary;
any other request, and any that comes before the last one is answered, goes its usual way.
"""

from __future__ import annotations

from asyncio import TimerHandle
from http import HTTPStatus
from string import ascii_letters, digits
from typing import Any, Protocol

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..core.evidence import MAX_BYTES
from .bounds import source_of
from .replies import CLOSE, Headers, Reply, Take, too_large

REQUEST_TIMEOUT_S = 10.0  # for a whole request to come in, the handshake included
MAX_REQUEST = 2**19  # head and all; less is told as too large when it is evidence

_LINES = {int(each): f"HTTP/1.1 {each} {each.phrase}\r\n".encode() for each in HTTPStatus}
_PLAIN = f"/?=&-._{ascii_letters}{digits}".encode()  # of an address


class Expects(Protocol):
    """An application that may be asked without ASGI."""

    def expects(
        self, path: str, query: bytes, headers: Headers, source: str | None
    ) -> Take | Reply | None:
        """What to do with the body of this POST; a Reply: nothing; None: it is for ASGI."""


class Patient(HttpToolsProtocol):
    """Who does not finish a request in time, or in this many bytes, is cut off.

    Without a farewell, for which who holds us up would let us wait.
    """

    _deadline: TimerHandle | None = None
    _unfinished = False
    _came = 0  # bytes of a request that is not whole

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch(True)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(self._unfinished)  # a request that came whole never needs a timer
        self._came = self._came + len(data) if self._unfinished else 0
        if self._came > MAX_REQUEST:
            self.transport.abort()

    def on_message_begin(self) -> None:
        self._unfinished = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._unfinished = False
        super().on_message_complete()

    def _watch(self, waiting: bool) -> None:
        if waiting and self._deadline is None:
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self.transport.abort)
        elif not waiting and self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Door(Patient):
    """The connection of an application that `Expects`."""

    app: Any
    cycle: Any  # the base class's, or an _Exchange that stands in its place
    _source: str | None = None  # who is bounded

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._source = source_of(self.client)

    def on_headers_complete(self) -> None:
        found = self._asked()
        if found is None:
            super().on_headers_complete()
            return
        keep_alive = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        self.cycle = exchange = _Exchange(self, keep_alive)
        if isinstance(found, Reply):
            exchange.tell(found)
        else:
            exchange.take = found

    def on_body(self, body: bytes) -> None:
        if isinstance(self.cycle, _Exchange):
            self.cycle.hear(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if isinstance(self.cycle, _Exchange):
            self._unfinished = False
            self.cycle.end()
        else:
            super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(self.cycle, _Exchange):
            self.cycle = None
        super().connection_lost(exc)

    def _asked(self) -> Take | Reply | None:
        """What the application says to an ordinary POST; None: let it have the whole request."""
        if (
            self.parser.get_method() != b"POST"
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.flow.write_paused
            or self.expect_100_continue
            or self.parser.should_upgrade()
            or self.url.translate(None, _PLAIN)
        ):
            return None
        path, _, query = self.url.partition(b"?")
        found: Take | Reply | None = self.app.expects(
            path.decode(), query, dict(self.headers), self._source
        )
        return found


class _Exchange:
    """One request and its answer; the base class sees in it what it asks of its own cycles."""

    __slots__ = ("_body", "_door", "keep_alive", "response_complete", "take")

    def __init__(self, door: Door, keep_alive: bool) -> None:
        self._door = door
        self._body = b""
        self.keep_alive = keep_alive
        self.response_complete = False
        self.take: Take | None = None

    def hear(self, body: bytes) -> None:
        if self.response_complete:
            return
        self._body += body
        if len(self._body) > MAX_BYTES:
            self.tell(too_large().reply)

    def end(self) -> None:
        """The request is whole."""
        if self.take is not None and not self.response_complete:
            self.take(self._body, self.tell)

    def tell(self, reply: Reply) -> None:
        door, self.response_complete = self._door, True
        if door.transport.is_closing():
            return
        door.transport.write(self._spelled(reply))
        if not self.keep_alive:
            door.transport.close()
        door.on_response_complete()

    def _spelled(self, reply: Reply) -> bytes:
        status, body, media_type, headers = reply
        said = [_LINES[status]]
        for name, value in (*self._door.server_state.default_headers, *headers):
            said += (name, b": ", value, b"\r\n")
        if headers == CLOSE:
            self.keep_alive = False
        elif not self.keep_alive:
            said.append(b"connection: close\r\n")
        if media_type is not None:
            said.append(b"content-type: %b\r\n" % media_type)
        said.append(b"content-length: %d\r\n\r\n" % len(body))
        said.append(body)
        return b"".join(said)
