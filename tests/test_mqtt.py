"""Boards behind a broker: two real ones, configured as the operator's page says."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization

import agent_support  # noqa: F401
import forge
import house
from agent_server import Authority, authority, server_pem
from brokers import VERIFIER, Broker, broker
from troth.ingest.broker import find_broker
from troth.ingest.http import Api
from troth.ingest.mqtt import Courier
from troth.ingest.pipeline import Pipeline, wall_clock
from troth.settings import Mqtt
from troth.store import Store
from troth_agent import receipt
from troth_agent.link import ACCEPTED, WANTED, connection, mqtt

BOARDS = {seed: forge.Device(seed) for seed in (1, 2)}
PASSWORDS = {VERIFIER: "verifier's word"} | {
    board.ueid.hex(): f"word of {seed}" for seed, board in BOARDS.items()
}
_POINT = house.ear_key().public_key().public_numbers()
POINT = _POINT.x.to_bytes(32, "big") + _POINT.y.to_bytes(32, "big")


class Place:
    """A broker, the store of a verifier, and what boards of the forge pin."""

    def __init__(self, road: Broker, ca: Authority, pipeline: Pipeline) -> None:
        self.road, self.pipeline, self.store = road, pipeline, pipeline.store
        self.context = connection.trust(ca.der)
        self.ca = road.at / "ca.pem"
        self.ca.write_bytes(ca.certificate.public_bytes(serialization.Encoding.PEM))
        self.word = road.at / "password"
        self.word.touch(0o600)
        self.word.write_text(PASSWORDS[VERIFIER] + "\n")

    def asked(self, **other: str) -> Mqtt:
        said = {"url": self.road.url, "ca": str(self.ca), "user": VERIFIER}
        return Mqtt(**{**said, "password_file": str(self.word), **other})

    @contextmanager
    def serving(self, **other: str) -> Iterator[Courier]:
        """The verifier's side, in a thread of its own."""
        made: list[Courier] = []
        ready, stop = threading.Event(), threading.Event()

        async def serve() -> None:
            made.append(Courier(find_broker(self.asked(**other)), Api(self.pipeline).carrier))
            task = asyncio.create_task(made[0].run())
            ready.set()
            await asyncio.to_thread(stop.wait)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            assert ready.wait(10)
            yield made[0]
        finally:
            stop.set()
            thread.join(20)

    @contextmanager
    def link(self, board: forge.Device, **other: Any) -> Iterator[Any]:
        word = PASSWORDS[board.ueid.hex()]
        settings = {"url": self.road.url, "password": word, **other}
        opened = drive(mqtt.open(settings, self.context, board.ueid))
        try:
            yield opened
        finally:
            opened.close()


def drive(steps: Generator[int, None, Any]) -> Any:
    while True:
        try:
            time.sleep(next(steps) / 1000)
        except StopIteration as end:
            return end.value


def eventually(true: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if said := true():
            return said
        time.sleep(0.02)
    raise AssertionError("not within the time")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return authority()


@pytest.fixture(scope="module", params=["mosquitto", "nats"])
def road(
    request: pytest.FixtureRequest, ca: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Broker]:
    at = tmp_path_factory.mktemp(request.param)
    with broker(request.param, at, server_pem(ca, at), PASSWORDS) as made:
        yield made


@pytest.fixture
def place(road: Broker, ca: Authority, tmp_path: Path) -> Iterator[Place]:
    with house.new_store(tmp_path) as store:
        for board in BOARDS.values():
            house.enrol(store, board, at=wall_clock())
        yield Place(road, ca, house.pipeline(store, clock=wall_clock))


def raws(store: Store, board: forge.Device) -> list[bytes]:
    device = store.device(board.ueid.hex())
    assert device
    return [row.raw for row in store.evidences(device.id)]


def test_a_board_asks_delivers_and_is_given_a_receipt(place: Place) -> None:
    board = BOARDS[1]
    with place.serving() as courier, place.link(board) as link:
        eventually(lambda: courier.state == "connected")
        nonce = drive(link.challenge())
        assert drive(link.deliver(board.token(nonce))) == WANTED
        evidence = board.bundle(nonce)
        assert drive(link.deliver(evidence)) == ACCEPTED, link.why
        assert link.tls_version() == 13
        said = drive(link.receipt([hashlib.sha256(evidence).digest(), bytes(32)]))
    assert raws(place.store, board) == [evidence]
    assert receipt.read(said, POINT, board.ueid) == [hashlib.sha256(evidence).digest()]


def test_a_board_that_sleeps_finds_the_handle_with_the_broker(place: Place) -> None:
    board = BOARDS[1]
    with place.serving():
        handle = eventually(lambda: fresh_handle(place, board))
        with place.link(board) as link:
            evidence = board.bundle(handle, counter=1)
            assert drive(link.deliver(evidence)) == ACCEPTED, link.why
            assert drive(link.deliver(evidence)) == ACCEPTED, link.why  # once more: the same answer
    assert raws(place.store, board) == [evidence]


def fresh_handle(place: Place, board: forge.Device) -> bytes | None:
    """The broker may still have the one of the test before."""
    with place.link(board) as link:
        said = cbor2.loads(drive(link.epoch()))[10]
    return said if said == place.pipeline.epochs.current().nonce else None
