"""The challenge-response API over HTTP (WIRE 0 and 2.7): raw ASGI, bounded before it is read.

Faults of the envelope (400, 413, 415) spend nothing; whatever else a device posts is answered 200
with a signed result. Our own fault is 503 and never a verdict.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

from .. import __version__
from ..core.evidence import MAX_BYTES
from ..core.freshness import Challenge
from ..store import StoreUnavailable
from .desk import Busy, Desk, Told
from .nonces import NONCE_BYTES
from .outcomes import BadEnvelope, NoSession, NotTaken, Outcome, SessionSpent, Waiting
from .pipeline import ACCEPTS, Pipeline
from .steps import Message

API = "/challenge-response/v1/"
DISCOVERY = "/.well-known/veraison/verification"

_SESSION = b"application/vnd.veraison.challenge-response-session+json"
_PROBLEM = b"application/problem+json"
_WELL_KNOWN = b"application/vnd.veraison.discovery+json"
_SESSION_PATH = API + "session/"
_UEID = re.compile(r"(?:[0-9a-f]{2}){7,33}")
_STATUS = {NoSession: 404, SessionSpent: 409, BadEnvelope: 400, Busy: 503}
_HEALTH_S = 1.0  # a sound store is not tried more often, for each try is a durable commit
_ACCEPT_JSON = json.dumps(ACCEPTS).encode()
_ACCEPT_LIST = ", ".join(ACCEPTS).encode()

log = logging.getLogger("troth.ingest")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Problem(Exception):
    """An answer that is no result (RFC 9457); `code` is the stable word."""

    def __init__(
        self, status: int, code: str, detail: str, headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers


class Api:
    """The ASGI application. Its desk opens with the lifespan, or with the first message."""

    def __init__(self, pipeline: Pipeline, told: Told = lambda _: None) -> None:
        self._pipeline = pipeline
        self._well = (False, -_HEALTH_S)  # the store, and when it was tried
        self._told = told
        self._desk: Desk | None = None
        self._discovery = json.dumps(_discovery(pipeline)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            await self._route(scope, receive, send)
        except Problem as err:
            await _send_problem(send, err)
        except StoreUnavailable as err:
            await _send_problem(send, Problem(503, err.code, "the store cannot be written", _RETRY))
        except Exception:  # the shell's outermost loop: our own fault, never a word on a device
            log.exception("internal fault")
            await _send_problem(send, Problem(500, "server.internal", "a fault of the verifier"))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._desk = Desk(self._pipeline, self._told)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        if path.startswith(_SESSION_PATH):
            await self._session(method, path.removeprefix(_SESSION_PATH), scope, receive, send)
        elif path == API + "newSession":
            _only(method, "POST")
            await self._new_session(scope, send)
        elif path == DISCOVERY:
            _only(method, "GET")
            await _send(send, 200, self._discovery, _WELL_KNOWN)
        elif path == "/healthz":
            _only(method, "GET")
            await self._health(send)
        else:
            raise Problem(404, "path.unknown", "there is nothing here")

    async def _new_session(self, scope: Scope, send: Send) -> None:
        ueid = _asked_for(scope["query_string"])
        headers = _headers(scope)
        _check_accept(headers.get(b"accept"))
        challenge = self._pipeline.challenge(ueid, wait=False)
        place = b"session/" + challenge.session.encode()
        body = b'{"status":"waiting",%b}' % _said(challenge)
        await _send(send, 201, body, _SESSION, ((b"location", place),))

    async def _session(
        self, method: str, session: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if method == "POST":
            await self._post(session, scope, receive, send)
        elif method == "GET":
            await self._get(session, send)
        elif method == "DELETE":
            await asyncio.to_thread(self._pipeline.forget, session)
            await _send(send, 204, b"", None)
        else:
            _only(method, "GET, POST, DELETE")

    async def _post(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        media_type = _media_type(headers)
        _check_accept(headers.get(b"accept"))
        raw = await _body(headers, receive)
        if self._desk is None:
            self._desk = Desk(self._pipeline, self._told)
        try:
            outcome = await self._desk.submit(
                Message(session, raw, media_type, self._pipeline.clock())
            )
        except NotTaken as err:
            status = _STATUS.get(type(err), 400)
            raise Problem(status, err.code, _place(err), _RETRY if status == 503 else ()) from err
        await _send(send, 200, _answer(outcome, raw, media_type), _SESSION)

    async def _get(self, session: str, send: Send) -> None:
        try:
            found = await asyncio.to_thread(self._pipeline.session, session)
        except NotTaken as err:
            raise Problem(404, err.code, err.text) from err
        body = b'{"status":"waiting",%b}' % _said(found.challenge)
        if found.answer is not None:
            result = found.answer.encode()
            body = b'{"status":"complete",%b,"result":"%b"}' % (_said(found.challenge), result)
        await _send(send, 200, body, _SESSION)

    async def _health(self, send: Send) -> None:
        well, tried = self._well
        if not well or monotonic() - tried >= _HEALTH_S:
            well = await asyncio.to_thread(self._pipeline.store.can_write)
            self._well = (well, monotonic())
        body = {"status": "ok" if well else "failing", "store": "ok" if well else "unavailable"}
        await _send(send, 200 if well else 503, _dump(body), b"application/json")


def _answer(outcome: Outcome, raw: bytes, media_type: str) -> bytes:
    """A session after a message. Put together by hand: nothing in it needs to be escaped."""
    if isinstance(outcome, Waiting):
        wanted = urlsafe_b64encode(outcome.wanted).rstrip(b"=")
        return b'{"status":"waiting",%b,"wanted":["%b"]}' % (_said(outcome.challenge), wanted)
    return b'{"status":"complete",%b,"evidence":{"type":"%b","value":"%b"},"result":"%b"}' % (
        _said(outcome.challenge),
        media_type.encode(),
        b64encode(raw),
        outcome.ear.encode(),
    )


def _said(challenge: Challenge) -> bytes:
    """What every answer says of its session."""
    return b'"nonce":"%b","expiry":"%b","accept":%b' % (
        b64encode(challenge.nonce),
        _instant(challenge.expires),
        _ACCEPT_JSON,
    )


@lru_cache(maxsize=1024)
def _instant(at: int) -> bytes:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _discovery(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "ear-verification-key": pipeline.results.public_jwk(),
        "media-types": ACCEPTS,
        "attestation-schemes": ["TROTH"],
        "version": __version__,
        "service-state": "READY",
        "api-endpoints": {"newChallengeResponseSession": API + "newSession"},
    }


def _place(err: NotTaken) -> str:
    place = f"{err.path}: " if err.path else ""
    at = f" (byte {err.offset})" if err.offset is not None else ""
    return f"{place}{err.text}{at}"


def _only(method: str, allowed: str) -> None:
    if method != allowed:
        raise Problem(405, "method.unknown", f"only {allowed}", ((b"allow", allowed.encode()),))


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    return dict(scope["headers"])


def _asked_for(query: bytes) -> bytes | None:
    """The ueid that the challenge is for, if the query names one; the nonce is ours to draw.

    The profile has one nonce size; a nonce of the caller's own would prove nothing to us.
    """
    if not query or query == b"nonceSize=32":
        return None
    said = parse_qs(query.decode("latin-1"), keep_blank_values=True)
    if "nonce" in said:
        raise Problem(400, "nonce.foreign", "the verifier draws the nonce")
    if said.get("nonceSize", [str(NONCE_BYTES)]) != [str(NONCE_BYTES)]:
        raise Problem(400, "nonce.size", f"the profile's nonce has {NONCE_BYTES} bytes")
    ueid = said.get("ueid")
    if ueid is None:
        return None
    if len(ueid) != 1 or not _UEID.fullmatch(ueid[0]):
        raise Problem(400, "id.malformed", "ueid is 14 to 66 hexadecimal digits, once")
    return bytes.fromhex(ueid[0])


def _check_accept(accept: bytes | None) -> None:
    if accept is None or accept == b"*/*":
        return
    wanted = {part.partition(b";")[0].strip().lower() for part in accept.split(b",")}
    if not wanted & {b"*/*", b"application/*", b"application/json", _SESSION}:
        raise Problem(406, "accept.unknown", f"answers are {_SESSION.decode()}")


def _media_type(headers: Mapping[bytes, bytes]) -> str:
    said = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    if said not in ACCEPTS or headers.get(b"content-encoding", b"identity") != b"identity":
        raise Problem(
            415, "media.unsupported", "evidence comes plain", ((b"accept", _ACCEPT_LIST),)
        )
    return said


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """At most MAX_BYTES; what is announced as more is not even read. The server keeps the time."""
    announced = headers.get(b"content-length")
    if announced is not None and (not announced.isdigit() or int(announced[:10]) > MAX_BYTES):
        raise _too_large()
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "body.broken", "the body ended early", _CLOSE)
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        if sum(map(len, parts)) > MAX_BYTES:
            raise _too_large()
    return b"".join(parts)


def _too_large() -> Problem:
    return Problem(413, "size.limit", f"evidence has at most {MAX_BYTES} bytes", _CLOSE)


_CLOSE = ((b"connection", b"close"),)
_RETRY = ((b"retry-after", b"5"),)


def _dump(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, separators=(",", ":")).encode()


async def _send_problem(send: Send, err: Problem) -> None:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(err.status).phrase,
        "status": err.status,
        "code": err.code,
        "detail": err.detail,
    }
    await _send(send, err.status, _dump(body), _PROBLEM, err.headers)


async def _send(
    send: Send,
    status: int,
    body: bytes,
    media_type: bytes | None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    said = [*headers]
    if media_type is not None:
        said += [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": body})
