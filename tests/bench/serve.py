"""How many attestations a second one `troth serve` takes in, each answered after its FULL commit.

A real server process with its own store (SQLite, WAL, synchronous=FULL), once over plain HTTP as
behind a proxy (`http.*`) and once with its own TLS (`https.*`, reported); 512 connections are kept
alive, 200 boards report in turns, their claims-set is known. A round opens its sessions
(`http.session`), signs its evidence off the clock, and posts it (`http.full_commit`): inside the
span are HTTP, signature check, every duty, the signed result (EAR), the durable commit and the
reply. Throughput is by the wall, the client on one core and the server on the other; the limit, one
core's raw ECDSA P-256 verifies, is by CPU time in between. `*.epoch` is the same for boards that
answer everybody's challenge: one request a report, and no signed result, for nobody asked for one.
"""

from __future__ import annotations

import json
import selectors
import socket
import sqlite3
import ssl
import statistics
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cbor2
import fleet
from figures import Figure, at_least, in_turns
from verify import signature_checks

import forge
from troth.factory.home import make_home
from troth.ingest.http import API, EPOCH, EVIDENCE
from troth.ingest.pipeline import BARE, BUNDLE
from troth.settings import load_settings
from troth.store import Store
from troth.testing.children import TROTH, Child

BOARDS, CONNECTIONS, ROUNDS = 200, 512, 9
CHECKS = 2000  # raw ones, between the rounds
REPORTS = 8 * CONNECTIONS  # in a round
_ACCEPTED = cbor2.dumps({"status": 0})
POLICY = f"""\
max_reconnects_per_h = 1000000
anchors = ["{forge.digest_of("anchor").hex()}"]
"""


def measure() -> list[Figure]:
    return _measure("http", 0.30, "--plain") + _measure("https", None)


def _measure(scheme: str, target: float | None, *words: str) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        boards = _make_home(home)
        with _server(home, *words) as url, _Client(url, home) as client:
            _round(client, boards, bundle=True)  # brings the claims-set, and warms up
            rounds = [_round(client, boards) for _ in range(ROUNDS)]
            epochs = [_epoch_round(client, boards, number) for number in range(ROUNDS // 3)]
        _check_kept(home, (ROUNDS + 1 + ROUNDS // 3) * REPORTS)
    limits, sessions, posts = zip(*rounds, strict=True)
    return [
        _figure(f"{scheme}.session", "session/s", sessions, limits, None),
        _figure(f"{scheme}.full_commit", "att/s", posts, limits, target),
        _figure(f"{scheme}.epoch", "att/s", *zip(*epochs, strict=True), None),
    ]


def _figure(
    name: str, unit: str, rates: Sequence[float], limits: Sequence[float], target: float | None
) -> Figure:
    ratio = statistics.median(rate / limit for rate, limit in zip(rates, limits, strict=True))
    return at_least(name, statistics.median(rates), unit, ratio, target)


def _round(
    client: _Client, boards: list[forge.Device], *, bundle: bool = False
) -> tuple[float, float, float]:
    """Raw checks, sessions and reports, each a second."""
    (checks,) = in_turns(signature_checks(boards, CHECKS), rounds=1, each=CHECKS)
    opened, opening_s = client.ask([_post(API + "newSession?nonceSize=32", "", b"")] * REPORTS)
    reports = [_report(boards[n % BOARDS], reply, bundle=bundle) for n, reply in enumerate(opened)]
    replies, reporting_s = client.ask(reports)
    if not all(b'"status":"complete"' in reply for reply in replies):
        raise RuntimeError("a report of a healthy board was not taken in")
    return 1e6 / checks.median_us, REPORTS / opening_s, REPORTS / reporting_s


def _epoch_round(client: _Client, boards: list[forge.Device], number: int) -> tuple[float, float]:
    """Reports that answer the handle of now, each a second, and raw checks."""
    (checks,) = in_turns(signature_checks(boards, CHECKS), rounds=1, each=CHECKS)
    (said,), _ = client.ask([f"GET {EPOCH} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()])
    handle = cbor2.loads(said.partition(b"\r\n\r\n")[2])[10]
    now = int(time.time())
    reports = [
        _post(
            EVIDENCE,
            BARE,
            boards[n % BOARDS].token(
                handle, counter=number * REPORTS + n, iat=now, uptime=now - 1_700_000_000
            ),
        )
        for n in range(REPORTS)
    ]
    replies, took_s = client.ask(reports)
    if not all(reply.endswith(_ACCEPTED) for reply in replies):
        raise RuntimeError("a report of a healthy board was not accepted")
    return REPORTS / took_s, 1e6 / checks.median_us


def _report(board: forge.Device, opened: bytes, *, bundle: bool) -> bytes:
    """The board's answer to the challenge of a session that was just opened."""
    head, _, body = opened.partition(b"\r\n\r\n")
    place = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"location:"))
    nonce = b64decode(json.loads(body)["nonce"])
    now = int(time.time())
    said = {"iat": now, "uptime": now - 1_700_000_000}
    evidence = board.bundle(nonce, **said) if bundle else board.token(nonce, **said)
    return _post(API + place[9:].strip().decode(), BUNDLE if bundle else BARE, evidence)


def _post(path: str, kind: str, body: bytes) -> bytes:
    said = f"POST {path} HTTP/1.1\r\nHost: bench\r\n"
    if kind:
        said += f"Content-Type: {kind}\r\n"
    return f"{said}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _make_home(home: Path) -> list[forge.Device]:
    make_home(home)
    (home / "policy.toml").write_text(POLICY, encoding="utf-8")
    with Store.open(load_settings(str(home)).db, create=True) as store:
        return fleet.enrol(store, BOARDS, at=int(time.time()))


@contextmanager
def _server(home: Path, *words: str) -> Iterator[str]:
    anywhere = ("--bind", "127.0.0.1:0", "--pages", "127.0.0.1:0", "--quiet", *words)
    child = Child((*TROTH, "--home", str(home), "serve", "--json", *anywhere), home / "serve.log")
    try:
        yield child.document()["attest"]
    finally:
        child.stop()


def _check_kept(home: Path, reports: int) -> None:
    """Every acknowledged report must be there after the server is gone, and none refused."""
    with sqlite3.connect(f"file:{home / 'troth.db'}?mode=ro", uri=True) as store:
        kept, refused = (
            store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("evidence", "rejections")
        )
    if (kept, refused) != (reports, 0):
        raise RuntimeError(f"{reports} reports acknowledged, {kept} kept, {refused} refused")


class _Client:
    """Connections that are kept alive, each with one request under way."""

    def __init__(self, url: str, home: Path) -> None:
        scheme, _, place = url.partition("://")
        host, _, port = place.rpartition(":")
        trust = ssl.create_default_context(cafile=home / "certs" / "dev" / "ca.pem")
        self._selector = selectors.DefaultSelector()
        for _ in range(CONNECTIONS):
            wire = socket.create_connection((host, int(port)))
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "https":
                wire = trust.wrap_socket(wire, server_hostname=host)
            wire.setblocking(False)
            self._selector.register(wire, selectors.EVENT_READ)

    def __enter__(self) -> _Client:
        return self

    def __exit__(self, *_: object) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()

    def ask(self, requests: list[bytes]) -> tuple[list[bytes], float]:
        """Every request answered, in the order of the requests, and how long that took."""
        replies = [b""] * len(requests)
        waiting = iter(enumerate(requests))
        under_way: dict[object, int] = {}
        start = time.perf_counter()
        for key in list(self._selector.get_map().values()):
            self._next(key.fileobj, waiting, under_way)
        while under_way:
            for key, _ in self._selector.select():
                number = under_way[key.fileobj]
                replies[number] += _read(key.fileobj)
                if _is_whole(replies[number]):
                    del under_way[key.fileobj]
                    self._next(key.fileobj, waiting, under_way)
        return replies, time.perf_counter() - start

    def _next(self, wire, waiting, under_way) -> None:
        for number, request in waiting:
            under_way[wire] = number
            wire.sendall(request)
            break


def _read(wire: socket.socket) -> bytes:
    try:
        got = wire.recv(65536)
    except (ssl.SSLWantReadError, BlockingIOError):
        return b""
    if not got:
        raise RuntimeError("the server closed a connection")
    return got


def _is_whole(reply: bytes) -> bool:
    head, gap, body = reply.partition(b"\r\n\r\n")
    if not gap:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) == int(length)
