"""The two requests of a board over a real connection: as over ASGI, whatever way they come in."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import house
from troth.ingest import server
from troth.ingest.door import MAX_REQUEST
from troth.ingest.http import API, Api
from troth.ingest.pipeline import BARE, BUNDLE
from troth.store import Store

Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Answer = tuple[int, dict[str, str], bytes]


@pytest.fixture
def talk(store: Store) -> Callable[[Callable[[Wire], Awaitable[None]]], None]:
    """Run one conversation over one connection with a server of its own."""

    def run(conversation: Callable[[Wire], Awaitable[None]]) -> None:
        async def main() -> None:
            listener = server.Listener(Api(house.pipeline(store)), server.listen("127.0.0.1:0"))
            uvicorn = server._Server(server._config(listener))
            task = asyncio.create_task(uvicorn.serve(sockets=[listener.sock]))
            while not uvicorn.started:
                await asyncio.sleep(0.01)
            wire = await asyncio.open_connection(*listener.sock.getsockname())
            try:
                await asyncio.wait_for(conversation(wire), 10)
            finally:
                wire[1].close()
                uvicorn.should_exit = True
                await task

        asyncio.run(main())

    return run


async def hear(wire: Wire) -> Answer:
    line, *fields = (await wire[0].readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in fields)}
    body = await wire[0].readexactly(int(headers.get("content-length", "0")))
    return int(line.split()[1]), headers, body


def post(path: str, body: bytes = b"", kind: str = "", *more: str, version: str = "1.1") -> bytes:
    lines = [f"POST {API}{path} HTTP/{version}", "Host: x", f"Content-Length: {len(body)}", *more]
    lines += [f"Content-Type: {kind}"] if kind else []
    return "\r\n".join([*lines, "", ""]).encode() + body


async def opened(wire: Wire) -> tuple[str, bytes]:
    wire[1].write(post("newSession?nonceSize=32"))
    status, headers, body = await hear(wire)
    assert status == 201, body
    return headers["location"], b64decode(json.loads(body)["nonce"])


def test_requests_in_one_breath_are_answered_in_their_order(talk: Any, board: Any) -> None:
    async def conversation(wire: Wire) -> None:
        place, nonce = await opened(wire)
        report = post(place, board.bundle(nonce), BUNDLE)
        asked = f"GET {API}{place} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        wire[1].write(report + report + asked + post("newSession"))
        answers = [await hear(wire) for _ in range(4)]
        assert [status for status, _, _ in answers] == [200, 200, 200, 201]
        first, again, now, _ = (json.loads(body) for _, _, body in answers)
        assert first == again
        assert now["result"] == first["result"]
        assert all("date" in headers for _, headers, _ in answers)

    talk(conversation)


def test_a_report_may_come_byte_by_byte_or_in_chunks(talk: Any, board: Any) -> None:
    async def conversation(wire: Wire) -> None:
        place, nonce = await opened(wire)
        raw = board.bundle(nonce)
        for byte in post(place, raw, BUNDLE):
            wire[1].write(bytes((byte,)))
            await wire[1].drain()
        status, _, first = await hear(wire)
        assert (status, json.loads(first)["status"]) == (200, "complete")
        head = f"POST {API}{place} HTTP/1.1\r\nHost: x\r\nContent-Type: {BUNDLE}\r\n"
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in (raw[:99], raw[99:], b""))
        wire[1].write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        assert (await hear(wire))[2] == first

    talk(conversation)


def test_who_asks_whether_to_go_on_is_told(talk: Any, board: Any) -> None:
    async def conversation(wire: Wire) -> None:
        place, nonce = await opened(wire)
        request = post(place, board.bundle(nonce), BUNDLE, "Expect: 100-continue")
        head, gap, body = request.partition(b"\r\n\r\n")
        wire[1].write(head + gap)
        assert (await wire[0].readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        wire[1].write(body)
        assert (await hear(wire))[0] == 200

    talk(conversation)


FAULTS = {
    "no such session": (post("session/00", b"x", BARE), 404, "nonce.unknown"),
    "a verb of no use": (post("session/00").replace(b"POST", b"PUT"), 405, "method.unknown"),
    "escaped": (post("session/%30", b"x", "text/plain"), 415, "media.unsupported"),
    "no type": (post("session/00", b"x"), 415, "media.unsupported"),
    "odd accept": (post("session/00", b"x", BARE, "Accept: text/html"), 406, "accept.unknown"),
    "a nonce of its own": (post("newSession?nonce=AA"), 400, "nonce.foreign"),
    "nowhere": (post("nowhere"), 404, "path.unknown"),
}


@pytest.mark.parametrize("case", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_told_and_the_connection_stays(talk: Any, case: tuple[Any, ...]) -> None:
    request, status, code = case

    async def conversation(wire: Wire) -> None:
        wire[1].write(request)
        told, headers, body = await hear(wire)
        assert headers["content-type"] == "application/problem+json"
        assert (told, json.loads(body)["code"]) == (status, code)
        await opened(wire)

    talk(conversation)


LARGE = {
    "announced": post("session/00", bytes(16385), BARE),
    "in chunks": (
        f"POST {API}session/00 HTTP/1.1\r\nHost: x\r\nContent-Type: {BARE}\r\n"
        "Transfer-Encoding: chunked\r\n\r\n4001\r\n"
    ).encode()
    + bytes(0x4001),
}


@pytest.mark.parametrize("request_", LARGE.values(), ids=list(LARGE))
def test_what_is_too_large_ends_the_connection(talk: Any, request_: bytes) -> None:
    async def conversation(wire: Wire) -> None:
        wire[1].write(request_)
        status, headers, _ = await hear(wire)
        assert (status, headers["connection"]) == (413, "close")
        assert await wire[0].read() == b""

    talk(conversation)


def test_as_many_connections_are_held_as_the_machine_grants() -> None:
    resource = pytest.importorskip("resource")
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most - 1, most))
    try:
        server._hold_many()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))


def test_a_head_without_an_end_is_not_listened_to_for_ever(talk: Any) -> None:
    async def conversation(wire: Wire) -> None:
        wire[1].write(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 2 * MAX_REQUEST)
        with contextlib.suppress(ConnectionError):
            assert await wire[0].read() == b""

    talk(conversation)


@pytest.mark.parametrize(
    "request_",
    [post("newSession", b"", "", "Connection: close"), post("newSession", version="1.0")],
    ids=["close", "HTTP/1.0"],
)
def test_who_wants_one_answer_gets_one(talk: Any, request_: bytes) -> None:
    async def conversation(wire: Wire) -> None:
        wire[1].write(request_)
        status, headers, _ = await hear(wire)
        assert (status, headers["connection"]) == (201, "close")
        assert await wire[0].read() == b""

    talk(conversation)


def test_who_leaves_before_the_answer_harms_nobody(talk: Any, board: Any, store: Store) -> None:
    async def conversation(wire: Wire) -> None:
        place, nonce = await opened(wire)
        other = await asyncio.open_connection(*wire[1].get_extra_info("peername"))
        other[1].write(post(place, board.bundle(nonce), BUNDLE))
        await other[1].drain()
        other[1].transport.abort()
        await opened(wire)

    talk(conversation)
