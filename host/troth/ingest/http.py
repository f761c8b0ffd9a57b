"""The challenge-response API over HTTP (WIRE 0 and 2.7): which request is answered how.

Faults of the envelope (400, 413, 415) spend nothing; whatever else a device posts is answered 200
with a signed result. Our own fault is 503 and never a verdict. Boards' two requests can be asked
without ASGI (`Api.expects`), for they are all that a fleet ever sends.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from time import monotonic
from typing import Any

from .. import __version__
from ..core.evidence import MAX_BYTES
from ..core.freshness import Challenge
from ..store import StoreUnavailable
from ..trouble import Trouble
from . import rotation
from .arithmetic import Here
from .bounds import Bounds, source_of
from .carrier import Carried, Carrier
from .desk import Busy, Desk, Told
from .outcomes import BadEnvelope, NoSession, NotTaken, Outcome, SessionSpent
from .pipeline import ACCEPTS, Pipeline
from .receipts import read_digests
from .replies import (
    CLOSE,
    RETRY,
    Headers,
    Problem,
    Reply,
    Take,
    Tell,
    answered,
    asked_for,
    check_accept,
    dump,
    flood,
    form_of,
    media_type,
    opened,
    place,
    standing,
    too_large,
)
from .steps import Message, Sent

API = "/challenge-response/v1/"
DISCOVERY = "/.well-known/veraison/verification"

EPOCH = "/troth/v1/epoch"
EVIDENCE = "/troth/v1/evidence"
RECEIPT = "/troth/v1/receipt"
ROTATION = "/troth/v1/rotation/"

_CBOR = b"application/cbor"
_COSE = b"application/cose"
_WELL_KNOWN = b"application/vnd.veraison.discovery+json"
_NEW_SESSION = API + "newSession"
_SESSION_PATH = API + "session/"
_STATUS = {NoSession: 404, SessionSpent: 409, BadEnvelope: 400, Busy: 503}
_HEALTH_S = 1.0  # a sound store is not tried more often, for each try is a durable commit

log = logging.getLogger("troth.ingest")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Api:
    """The ASGI application. Its desk opens with the lifespan, or with the first message."""

    def __init__(
        self,
        pipeline: Pipeline,
        told: Told = lambda _: None,
        bounds: Bounds | None = None,
        arithmetic: type[Here] = Here,
    ) -> None:
        self._pipeline = pipeline
        self._arithmetic = arithmetic
        self._bounds = bounds or Bounds()
        self.carrier = Carrier(pipeline, self._opened)
        self.others: dict[str, Callable[[], str]] = {}  # whose health is told beside the store's
        self._well = (False, -_HEALTH_S)  # the store, and when it was tried
        self._told = told
        self._desk: Desk | None = None
        self._discovery = json.dumps(_discovery(pipeline)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            try:
                reply = await self._route(scope, receive)
            except Exception as err:
                reply = _excuse(err)
            await _send(send, reply)

    def expects(
        self, path: str, query: bytes, headers: Headers, source: str | None = None
    ) -> Take | Reply | None:
        """What to do with the body of this POST; a Reply: nothing; None: it is for ASGI."""
        try:
            if path.startswith(_SESSION_PATH):
                return partial(self._take, path[len(_SESSION_PATH) :], media_type(headers))
            if path == _NEW_SESSION:
                return self._new_session(query, headers, source)
            if path == EVIDENCE:
                return self._evidence(query, headers, source)
        except Exception as err:
            return _excuse(err)
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self._opened()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._desk is not None:
            self._desk.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _route(self, scope: Scope, receive: Receive) -> Reply:
        method, path = scope["method"], scope["path"]
        if path.startswith(_SESSION_PATH):
            return await self._session(method, path.removeprefix(_SESSION_PATH), scope, receive)
        if path == _NEW_SESSION:
            _only(method, "POST")
            source = source_of(scope["client"])
            return self._new_session(scope["query_string"], dict(scope["headers"]), source)
        if path in (EPOCH, EVIDENCE, RECEIPT):
            return await self._unasked(method, path, scope, receive)
        if path.startswith(ROTATION):
            _only(method, "POST")
            self._admit(source_of(scope["client"]))
            return await self._rotate(path.removeprefix(ROTATION), await _body(receive))
        if path == DISCOVERY:
            _only(method, "GET")
            return Reply(200, self._discovery, _WELL_KNOWN)
        if path == "/healthz":
            _only(method, "GET")
            return await self._health()
        raise Problem(404, "path.unknown", "there is nothing here")

    def _new_session(self, query: bytes, headers: Headers, source: str | None) -> Reply:
        ueid = asked_for(query)
        check_accept(headers.get(b"accept"))
        self._admit(source)
        turning = self._pipeline.context.turning.get(ueid) if ueid else None
        return opened(self._pipeline.challenge(ueid, wait=False), turning)

    async def _unasked(self, method: str, path: str, scope: Scope, receive: Receive) -> Reply:
        """What a board needs that asks for no challenge of its own."""
        if path == EPOCH:
            _only(method, "GET")
            return Reply(200, await self.carrier.epoch(), _CBOR)
        _only(method, "POST")
        query, source = scope["query_string"], source_of(scope["client"])
        if path == EVIDENCE:
            take = self._evidence(query, dict(scope["headers"]), source)
            return await _whole(take, await _body(receive))
        self._admit(source)
        ueid = asked_for(query)
        if ueid is None:
            raise Problem(400, "id.malformed", "ueid says whose evidence it is")
        digests = read_digests(await _body(receive))
        return Reply(200, await self.carrier.receipt(ueid.hex(), digests), _COSE)

    def _evidence(self, query: bytes, headers: Headers, source: str | None) -> Take:
        form_of(headers)
        self._admit(source)
        result = query == b"result=1"

        def take(raw: bytes, tell: Tell) -> None:
            def end(told: Carried | Exception) -> None:
                if isinstance(told, Exception):
                    tell(_excuse(told))
                else:
                    tell(Reply(200, told.message, _CBOR))

            self.carrier.take(Sent(raw, self._pipeline.clock(), result=result), end)

        return take

    async def _rotate(self, session: str, raw: bytes) -> Reply:
        """A board's new key, in answer to the challenge of this session."""

        def find(_: bytes) -> Challenge:
            return self._pipeline.session(session).challenge

        said = await asyncio.to_thread(rotation.take, self._pipeline, raw, find)
        return Reply(200, said, _COSE)

    def _admit(self, source: str | None) -> None:
        if source is not None and not self._bounds.admit(source):
            raise flood()

    def _opened(self) -> Desk:
        if self._desk is None:
            arithmetic = self._arithmetic(self._pipeline.results)
            self._desk = Desk(self._pipeline, self._told, arithmetic)
        return self._desk

    async def _session(self, method: str, session: str, scope: Scope, receive: Receive) -> Reply:
        if method == "POST":
            return await self._post(session, dict(scope["headers"]), receive)
        if method == "GET":
            return await asyncio.to_thread(self._get, session)
        if method == "DELETE":
            await asyncio.to_thread(self._pipeline.forget, session)
            return Reply(204, b"", None)
        raise _not_allowed("GET, POST, DELETE")

    async def _post(self, session: str, headers: Headers, receive: Receive) -> Reply:
        take = partial(self._take, session, media_type(headers))
        return await _whole(take, await _body(receive))

    def _take(self, session: str, kind: str, raw: bytes, tell: Tell) -> None:
        """Answer a message when its outcome is on disk."""

        def end(outcome: Outcome | Exception) -> None:
            if isinstance(outcome, Exception):
                tell(_excuse(outcome))
            else:
                tell(answered(outcome, raw, kind))

        self._opened().submit(Message(session, raw, kind, self._pipeline.clock()), end)

    def _get(self, session: str) -> Reply:
        found = self._pipeline.session(session)
        return standing(found.challenge, found.answer)

    async def _health(self) -> Reply:
        well, tried = self._well
        if not well or monotonic() - tried >= _HEALTH_S:
            well = await asyncio.to_thread(self._pipeline.store.can_write)
            self._well = (well, monotonic())
        body = {"status": "ok" if well else "failing", "store": "ok" if well else "unavailable"}
        body |= {name: state() for name, state in self.others.items()}
        return Reply(200 if well else 503, dump(body), b"application/json")


def _excuse(err: Exception) -> Reply:
    """The answer to who could not be served; our own fault is never a word on a device."""
    if isinstance(err, NotTaken):
        status = _STATUS.get(type(err), 400)
        err = Problem(status, err.code, place(err), RETRY if status == 503 else ())
    elif isinstance(err, StoreUnavailable):
        err = Problem(503, err.code, "the store cannot be written", RETRY)
    elif isinstance(err, Trouble):  # a key of our own is missing or another
        log.error("%s: %s", err.code, err.what)
        err = Problem(503, err.code, "the verifier lacks its own key", RETRY)
    elif not isinstance(err, Problem):
        log.error("internal fault", exc_info=err)
        err = Problem(500, "server.internal", "a fault of the verifier")
    return err.reply


def _discovery(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "ear-verification-key": pipeline.results.public_jwk(),
        "media-types": ACCEPTS,
        "attestation-schemes": ["TROTH"],
        "version": __version__,
        "service-state": "READY",
        "api-endpoints": {
            "newChallengeResponseSession": _NEW_SESSION,
            "epoch": EPOCH,
            "evidence": EVIDENCE,
            "receipt": RECEIPT,
            "rotation": ROTATION,
        },
    }


def _only(method: str, allowed: str) -> None:
    if method != allowed:
        raise _not_allowed(allowed)


def _not_allowed(allowed: str) -> Problem:
    return Problem(405, "method.unknown", f"only {allowed}", ((b"allow", allowed.encode()),))


async def _whole(take: Take, raw: bytes) -> Reply:
    """What is said to a body that came whole."""
    answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def tell(reply: Reply) -> None:
        if not answer.done():  # who asked may have gone
            answer.set_result(reply)

    take(raw, tell)
    return await answer


async def _body(receive: Receive) -> bytes:
    """At most MAX_BYTES. The server keeps the time."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem(400, "body.broken", "the body ended early", CLOSE)
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
        if sum(map(len, parts)) > MAX_BYTES:
            raise too_large()
    return b"".join(parts)


async def _send(send: Send, reply: Reply) -> None:
    status, body, kind, headers = reply
    said = [*headers]
    if kind is not None:
        said += [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": said})
    await send({"type": "http.response.body", "body": body})
