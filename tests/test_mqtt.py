"""Boards behind a broker: two real ones, configured as the operator's page says."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextlib import nullcontext as yes
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiomqtt
import cbor2
import httpx
import pytest
from cryptography.hazmat.primitives import serialization

import forge
import house
from agent_server import Authority, authority, server_pem
from agent_support import AGENT, MAC, FakeBoard, plug_in
from brokers import VERIFIER, Broker, broker
from emulated import Stage, boards
from test_cddl import schema
from test_serve import serving
from troth.cli import probes
from troth.core.device import Lifecycle, Profile, Provisioning
from troth.core.freshness import Freshness
from troth.factory.home import make_home
from troth.factory.serial import Board as SerialBoard
from troth.factory.serial import quiet
from troth.ingest.broker import find_broker
from troth.ingest.ending import end
from troth.ingest.http import Api
from troth.ingest.mqtt import Courier
from troth.ingest.pipeline import Pipeline, wall_clock
from troth.settings import Mqtt, load_settings
from troth.store import DeviceRow, KeyRow, Store, StoreUnavailable
from troth.trouble import Trouble
from troth_agent import Trouble as AgentTrouble
from troth_agent import receipt
from troth_agent.away import Away
from troth_agent.board import Board
from troth_agent.keys import soft
from troth_agent.link import ACCEPTED, REFUSED, WANTED, connection, mqtt
from troth_agent.spool import Spool

BOARDS = {seed: forge.Device(seed) for seed in (1, 2)}
PASSWORDS = {VERIFIER: "verifier's word"} | {
    board.ueid.hex(): f"word of {seed}" for seed, board in BOARDS.items()
}
# emulated boards of these serial numbers, and what their settings choose
ON_THE_VM = {"asks": "02543204000001", "sleeps": "02543204000002"}
CHOSEN: dict[str, dict[str, Any]] = {"asks": {}, "sleeps": {"fresh": "epoch", "spool": True}}
AGENT_HERE = "02" + MAC.hex()  # the agent on CPython
PASSWORDS[AGENT_HERE] = "word of the agent"
PASSWORDS |= {ueid: f"word of {name}" for name, ueid in ON_THE_VM.items()}
_POINT = house.ear_key().public_key().public_numbers()
POINT = _POINT.x.to_bytes(32, "big") + _POINT.y.to_bytes(32, "big")
# where one broker is like the other
one_broker = pytest.mark.parametrize("road", ["nats"], indirect=True)

SPOOLED = """
import json
from troth_agent.spool import Spool
print("troth: " + json.dumps({"left": len(list(Spool("").names()))}))
"""


class Place:
    """A broker, the store of a verifier, and what boards of the forge pin."""

    def __init__(self, road: Broker, ca: Authority, pipeline: Pipeline) -> None:
        self.road, self.pipeline, self.store = road, pipeline, pipeline.store
        self.der = ca.der
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
            await end([task])

        thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
        thread.start()
        try:
            assert ready.wait(10)
            yield made[0]
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()

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


def test_a_challenge_is_what_the_cddl_says(tmp_path: Path) -> None:
    with house.new_store(tmp_path) as store:
        ask = Api(house.pipeline(store)).carrier.ask(BOARDS[1].ueid.hex())
        schema("challenge").validate_cbor(asyncio.run(ask))


@one_broker
def test_what_is_not_the_boards_own_word_is_refused(place: Place) -> None:
    one, other = BOARDS[1], BOARDS[2]
    with place.serving() as courier, place.link(one) as link:
        eventually(lambda: courier.state == "connected")
        for evidence, code in (
            (other.bundle(drive(link.challenge())), "id.mismatch"),
            (bytes(300), "cbor.trailing"),
            (b"", "cbor.truncated"),
            (one.bundle(drive(link.challenge()))[:-1] + b"!", "set.mismatch"),
        ):
            assert drive(link.deliver(evidence)) == REFUSED
            assert link.why == code
    assert raws(place.store, one) == raws(place.store, other) == []


def test_a_board_neither_hears_another_nor_speaks_for_it(place: Place, road: Broker) -> None:
    one, other = BOARDS[1], BOARDS[2]
    with place.serving() as courier:
        eventually(lambda: courier.state == "connected")
        with place.link(one) as link:
            link._name = other.ueid.hex().encode()
            drive(link.publish(link.own(b"evidence"), other.bundle(bytes(32))))
        with place.link(one) as spy, place.link(other) as link:
            spy._name = other.ueid.hex().encode()
            # one broker says no, the other says yes and sends nothing
            with pytest.raises(AgentTrouble, match="own topics") if road.name == "nats" else yes():
                drive(spy.subscribe(spy.own(b"challenge")))
            nonce = drive(link.challenge())
            assert drive(link.deliver(other.bundle(nonce))) == ACCEPTED, link.why
            drive(spy._tell(0xC0, b""))
            drive(spy._await(0xD0))
            assert spy._inbox.get(spy.own(b"challenge")) is None
    assert len(raws(place.store, other)) == 1
    assert not place.store.rejections()


@one_broker
@pytest.mark.parametrize("wrong", ["word", "ca"])
def test_a_board_leaves_a_broker_that_is_not_its_own(wrong: str, place: Place) -> None:
    other: dict[str, Any] = {"password": "nobody's"} if wrong == "word" else {}
    if wrong == "ca":
        place.context = connection.trust(authority().der)
    with pytest.raises(AgentTrouble) as trouble, place.link(BOARDS[1], **other):
        pass
    assert trouble.value.code == {"word": "mqtt.refused", "ca": "link.untrusted"}[wrong]


@one_broker
@pytest.mark.parametrize(
    ("wrong", "code"), [("word", "mqtt.refused"), ("ca", "mqtt.untrusted"), ("url", "mqtt.away")]
)
def test_the_verifier_says_once_why_it_is_away(
    wrong: str, code: str, place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other: dict[str, str] = {}
    if wrong == "word":
        place.word.write_text("nobody's")
    elif wrong == "ca":
        strange = tmp_path / "strange.pem"
        strange.write_bytes(authority().certificate.public_bytes(serialization.Encoding.PEM))
        other["ca"] = str(strange)
    else:
        other["url"] = "mqtts://127.0.0.1:1"
    said = ""
    with place.serving(**other) as courier:
        while "fix:" not in said:
            said += capfd.readouterr().err
            time.sleep(0.02)
        assert courier.state == "away"
    assert said.startswith(f"error[{code}] broker mqtts://127.0.0.1:")
    assert "nobody's" not in said


def test_what_a_broker_took_while_the_verifier_was_away_is_not_lost(place: Place) -> None:
    board = BOARDS[1]
    with place.serving():
        handle = eventually(lambda: fresh_handle(place, board))
    evidence = board.bundle(handle, counter=1)
    with place.link(board) as link:
        drive(link.publish(link.own(b"evidence"), evidence))
    with place.serving():
        eventually(lambda: raws(place.store, board) == [evidence])


def test_a_broker_that_restarts_is_found_again_by_both(place: Place, road: Broker) -> None:
    board = BOARDS[1]
    with place.serving() as courier:
        eventually(lambda: courier.state == "connected")
        road.stop()
        eventually(lambda: courier.state == "away")
        with pytest.raises(OSError, match="111"), place.link(board):
            pass
        road.start()
        eventually(lambda: courier.state == "connected")
        with place.link(board) as link:
            assert drive(link.deliver(board.bundle(drive(link.challenge())))) == ACCEPTED, link.why
    assert not place.store.rejections()


class Rude:
    """A broker that answers no farewell, and its client."""

    messages = property(lambda self: self)

    def client(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_: Any) -> None:
        raise aiomqtt.MqttError("Operation timed out")

    async def subscribe(self, *_: Any) -> tuple[int, ...]:
        return ()

    async def publish(self, *_: Any, **__: Any) -> None:
        pass

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()


def test_a_broker_that_answers_no_farewell_does_not_keep_the_verifier(tmp_path: Path) -> None:
    async def leave() -> None:
        with house.new_store(tmp_path) as store:
            rude: Any = Rude()
            courier = Courier(rude, Api(house.pipeline(store)).carrier)
            task = asyncio.create_task(courier.run())
            while courier.state != "connected":
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(task, 10)

    asyncio.run(leave())


@pytest.mark.parametrize("road", ["mosquitto"], indirect=True)
def test_what_a_broker_acknowledged_and_lost_is_sent_again(
    place: Place, road: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = plug_in(FakeBoard())
    fake.nvs["troth", "tls"] = 13
    device = enrol_agent(place.store)
    (tmp_path / "ca.der").write_bytes(place.der)
    settings = {"oemid": b"abc", "hwmodel": "lamp", "swname": "lamp", "swversion": "1.0.0"}
    settings |= {"interval_s": 4, "scheme": "mqtts", "url": road.url, "ca": "/ca.der"}
    settings |= {"password": PASSWORDS[AGENT_HERE], "fresh": "epoch", "spool": True}
    here, agent = Board(settings | {"receipt_key": POINT}, str(tmp_path)), Away()
    with place.serving():
        eventually(lambda: fresh_handle(place, BOARDS[1]))
        drive(agent.report(here, soft.create))
    with monkeypatch.context() as patch:
        patch.setattr(connection, "_TIMEOUT_MS", 300)
        with pytest.raises(AgentTrouble, match="does not answer"):
            drive(agent.report(here, soft.create))
    assert len(Spool(here.root).names()) == 1
    road.lose_all()
    with place.serving():
        eventually(lambda: fresh_handle(place, BOARDS[1]))
        drive(agent.report(here, soft.create))
    assert not Spool(here.root).names()
    assert len(place.store.evidences(device)) == 3
    assert not place.store.rejections()


def enrol_agent(store: Store) -> str:
    key, ident = soft.create(), store.new_device_id()
    row = DeviceRow(ident, "agent", AGENT_HERE, MAC.hex(), "lamp", "esp32c3", Lifecycle.ACTIVE)
    store.enroll(row, KeyRow(key.kid, ident, AGENT_HERE, key.public), at=wall_clock())
    store.add_provisioning(ident, Provisioning(wall_clock(), Profile.P0, "00" * 20, bytes(32)))
    return ident


@one_broker
def test_evidence_waits_for_a_store_that_is_away(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    board = BOARDS[1]
    whole, fails = place.store.record_soon, [StoreUnavailable("full"), StoreUnavailable("full")]

    def record_soon(*args: Any) -> Any:
        if fails:
            raise fails.pop()
        return whole(*args)

    monkeypatch.setattr(place.store, "record_soon", record_soon)
    with place.serving() as courier, place.link(board) as link:
        eventually(lambda: courier.state == "connected")
        evidence = board.bundle(drive(link.challenge()))
        assert drive(link.deliver(evidence)) == ACCEPTED, link.why
    assert not fails
    assert (
        capfd.readouterr().err.count("error[store.unavailable] full: what boards send waits") == 1
    )
    assert raws(place.store, board) == [evidence]


@pytest.mark.parametrize(
    ("said", "environ", "code"),
    [
        (Mqtt("mqtt://broker:1883"), {}, "mqtt.url"),
        (Mqtt("mqtts://user:word@broker:8883"), {}, "mqtt.url"),
        (Mqtt("mqtts://broker:99999"), {}, "mqtt.url"),
        (Mqtt("mqtts://broker", ca="/nowhere"), {}, "mqtt.ca"),
        (Mqtt("mqtts://broker", ca=__file__), {}, "mqtt.ca"),
        (Mqtt("mqtts://broker", user="troth"), {}, "mqtt.password"),
        (Mqtt("mqtts://broker"), {"TROTH_MQTT_PASSWORD": "x"}, "mqtt.password"),
        (Mqtt("mqtts://broker", user="troth", password_file="/nowhere"), {}, "mqtt.password"),
        (Mqtt("mqtts://broker", user="troth", password_file=__file__), {}, "mqtt.password"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told(
    said: Mqtt, environ: dict[str, str], code: str
) -> None:
    with pytest.raises(Trouble) as trouble:
        find_broker(said, environ)
    assert trouble.value.code == code
    assert trouble.value.fix


def test_the_environment_names_user_and_password_and_no_text_shows_them() -> None:
    environ = {"TROTH_MQTT_USER": "someone", "TROTH_MQTT_PASSWORD": "s3cret"}
    found = find_broker(Mqtt("mqtts://[::1]", user="troth", password_file="/nowhere"), environ)
    assert (found.host, found.port, found.user) == ("[::1]", 8883, "someone")
    assert "s3cret" not in f"{found} {found!r}"


@one_broker
def test_serve_reads_the_broker_from_troth_toml_and_tells_its_health(
    place: Place, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    make_home(home)
    Store.open(f"sqlite:///{home / 'troth.db'}", create=True).close()
    (home / "word").touch(0o600)
    (home / "word").write_text(PASSWORDS[VERIFIER])
    shutil.copy(place.ca, home / "broker-ca.pem")
    with (home / "troth.toml").open("a") as toml:
        toml.write(f'[mqtt]\nurl = "{place.road.url}"\nca = "broker-ca.pem"\n')
        toml.write('user = "troth"\npassword_file = "word"\n')
    trusted = ssl.create_default_context(cafile=str(home / "certs/dev/ca.pem"))
    with serving(home) as (_, said), httpx.Client(verify=trusted) as client:
        url = said["attest"] + "/healthz"
        eventually(lambda: client.get(url).json()["mqtt"] == "connected")
        assert client.get(url).json()["status"] == "ok"
    settings = load_settings(str(home))
    assert probes.broker(settings).level == "ok"
    shutil.copy(home / "certs/dev/ca.pem", home / "broker-ca.pem")
    assert probes.broker(settings).level == "FAIL"
    (home / "word").chmod(0o640)
    assert "mqtt.password" in probes.broker(settings).what
    nowhere = replace(settings, mqtt=Mqtt("mqtts://127.0.0.1:1"))
    assert probes.broker(nowhere).level == "warn"


@one_broker
def test_one_board_cannot_keep_the_verifier_busy(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("troth.ingest.mqtt._PER_S", 0.001)
    monkeypatch.setattr("troth.ingest.mqtt._BURST", 3.0)
    board, other = BOARDS[1], BOARDS[2]
    with place.serving() as courier, place.link(board) as link, place.link(other) as calm:
        eventually(lambda: courier.state == "connected")
        assert [drive(link.deliver(b"noise")) for _ in range(3)] == [REFUSED] * 3
        monkeypatch.setattr(connection, "_TIMEOUT_MS", 500)
        with pytest.raises(AgentTrouble) as trouble:
            drive(link.deliver(b"noise"))
        assert trouble.value.code == "mqtt.silent"
        assert drive(calm.deliver(b"noise")) == REFUSED


@pytest.mark.vm
@one_broker
def test_emulated_boards_report_and_are_given_receipts(place: Place, tmp_path: Path) -> None:
    with boards(tmp_path, scenario=scenario(place, tmp_path)) as stage, place.serving():
        asks, sleeps = (enrolled(stage, place.store, name) for name in ON_THE_VM)
        eventually(lambda: len(place.store.evidences(asks)) > 1, 60)
        eventually(lambda: len(place.store.evidences(sleeps)) > 1, 60)
        with quiet(), SerialBoard.open(stage.port("sleeps"), restart=True) as board:
            # all but the one that the restart may have interrupted was confirmed at once
            assert board.ask(SPOOLED)["left"] <= 1
    assert not place.store.rejections()
    freshness = {id: {row.freshness for row in place.store.evidences(id)} for id in (asks, sleeps)}
    assert freshness == {asks: {Freshness.CHALLENGE}, sleeps: {Freshness.EPOCH}}


def scenario(place: Place, at: Path) -> str:
    said = ""
    for number, (name, ueid) in enumerate(ON_THE_VM.items(), 1):
        files = at / name
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(AGENT / "troth_agent", files / "lib/troth_agent", ignore=skip)
        shutil.copy(AGENT / "main.py", files)
        (files / "ca.der").write_bytes(place.der)
        settings = {"oemid": "0a1b2c", "hwmodel": "lamp", "swname": "lamp", "swversion": "1.0.0"}
        settings |= {"interval_s": 1, "link": "mqtts", "url": place.road.url, "ca": "/ca.der"}
        settings |= {"password": PASSWORDS[ueid], "receipt_key": POINT.hex(), **CHOSEN[name]}
        (files / "troth.json").write_text(json.dumps(settings))
        said += f'[[board]]\nname = "{name}"\nserial = {number}\nfiles = "{name}"\n'
    return said


def enrolled(stage: Stage, store: Store, name: str) -> str:
    """Enrol an emulated board, then let it go."""
    with quiet(), SerialBoard.open(stage.port(name), restart=True) as board:
        said = board.agent("enroll()")
        board.reset()
    ident, ueid = store.new_device_id(), "02" + said["mac"]
    row = DeviceRow(ident, name, ueid, said["mac"], "lamp", said["chip"], Lifecycle.ACTIVE)
    key = KeyRow(bytes.fromhex(said["kid"]), ident, ueid, bytes.fromhex(said["public_key"]), -7)
    store.enroll(row, key, at=wall_clock())
    store.add_provisioning(ident, Provisioning(wall_clock(), Profile.P0, said["fuses"], bytes(32)))
    return ident
