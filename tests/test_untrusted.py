"""Whom a board believes: the real agent with the VM's own TLS, and servers that are not its own.

A report that such a server asked for is never shown to it: it waits in the spool, and reaches the
right one. `make boards` does the same with a provisioned board in its own loop (TROTH_BOARDS=all).
"""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import forge
import house
from agent_server import Authority, authority, server_pem
from agent_server import serving as stranger
from brokers import VERIFIER, Broker, broker
from emulator import vm
from line import emulator, release, running, served, troth
from test_mqtt import PASSWORDS, POINT, Place
from troth.factory.passwords import Passwords
from troth.ingest import server
from troth.ingest.http import Api
from troth.ingest.pipeline import Pipeline, wall_clock
from vm_scripts import run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

BOARD = forge.Device(1)
UEID = "02543204000001"  # of an emulated esp32c3 with serial number 1
WRONG = {
    "ca": "The certificate is not correctly signed by the trusted CA",
    "expired": "The certificate validity has expired",
    "name": "The certificate Common Name (CN) does not match with the expected CN",
}


def pem_of(wrong: str, ca: Authority, at: Path) -> Path:
    """Key and certificate of a server that is wrong in this, or in nothing."""
    at = at / wrong
    at.mkdir()
    address = "127.0.0.2" if wrong == "name" else "127.0.0.1"
    ca = authority() if wrong == "ca" else ca
    return server_pem(ca, at, address, expired=wrong == "expired")


@contextmanager
def verifier(pipeline: Pipeline, pem: Path) -> Iterator[str]:
    """The HTTPS face of a pipeline, in a thread of its own; its address."""
    listener = server.Listener(Api(pipeline), server.listen("127.0.0.1:0"), pem, pem)
    uvicorn = server._Server(server._config(listener))
    serve = uvicorn.serve(sockets=[listener.sock])
    thread = threading.Thread(target=asyncio.run, args=(serve,), daemon=True)
    thread.start()
    try:
        yield listener.url
    finally:
        uvicorn.should_exit = True
        thread.join(20)


def private(board: forge.Device) -> bytes:
    """As the agent's own key lies in NVS."""
    number = board.private_key.private_numbers().private_value
    return number.to_bytes(32, "big") + board.public_key


def test_a_report_waits_until_the_server_is_the_right_one(machine: vm.Vm, tmp_path: Path) -> None:
    ca, pems = authority(), {}
    for wrong in (*WRONG, "right"):
        pems[wrong] = pem_of(wrong, ca, tmp_path)
    with ExitStack() as open_, house.new_store(tmp_path) as store:
        ident = house.enrol(store, BOARD, at=wall_clock())
        pipeline = house.pipeline(store, clock=wall_clock)
        others = [open_.enter_context(stranger(pems[wrong])) for wrong in WRONG]
        road = open_.enter_context(broker("nats", tmp_path, pems["right"], PASSWORDS))
        open_.enter_context(Place(road, ca, pipeline).serving())
        url = open_.enter_context(verifier(pipeline, pems["right"]))
        right: dict[str, dict[str, Any]] = {"https": {"url": url, "scheme": "https"}}
        right["mqtts"] = {"url": road.url, "scheme": "mqtts"}
        right["mqtts"]["password"] = PASSWORDS[BOARD.ueid.hex()]
        roads = [right["https"]]
        for scheme, itself in right.items():
            bad = [f"{scheme}://127.0.0.1:{other.port}" for other in others]
            roads += [*({**itself, "url": each} for each in bad), itself]
        said = [BOARD.set(swversion=[f"1.4.{number}"]) for number in range(len(roads))]
        names = {"MAC": BOARD.mac, "CA": ca.der, "RECEIPT_KEY": POINT}
        names |= {"KEY": private(BOARD), "ROADS": list(zip(roads, said, strict=True))}
        told = run(machine, "untrusted.py", 700_000, **names)
        assert not store.rejections()
        held = [row.set_digest for row in store.evidences(ident)]
    assert not any(other.requests for other in others)
    refused = [
        (f"[link.untrusted] {why}", waiting) for waiting, why in enumerate(WRONG.values(), 1)
    ]
    taken = ("delivered", 0)
    assert told == [taken, *refused, taken, *refused, taken]
    assert len(held) == len(set(held)) == len(roads)


class Face:
    """What a board meets of its verifier, at a place that lasts: `troth serve`, or its broker."""

    def __init__(self, scheme: str, home: Path) -> None:
        self._home, self._at = home, home.parent
        self._certs = home / "certs" / "dev"
        names = ("server.pem", "server.key", "ca.key", "ca.pem")
        pem, key, signs, holder = ((self._certs / name).read_bytes() for name in names)
        self.right = pem + key
        ca_key: Any = serialization.load_pem_private_key(signs, None)
        self.ca = Authority(ca_key, x509.load_pem_x509_certificate(holder))
        self._open = ExitStack()
        self._broker: Broker | None = None
        self._place = "127.0.0.1:0"
        if scheme == "https":
            self.url = self._serve(self.right)
            self._place = self.url.removeprefix("https://")
            return
        words = {UEID: Passwords(self._certs / "mqtt.passwords").of(UEID), VERIFIER: "word"}
        self._broker = Broker("nats", self._at, self._at / "broker.pem", words)
        self.show(self.right)
        self.url = self._broker.url
        login = {"TROTH_MQTT_USER": VERIFIER, "TROTH_MQTT_PASSWORD": "word"}
        mqtt = ("--mqtt", self.url, "--mqtt-ca", str(self._certs / "ca.pem"))
        self._open.enter_context(served(home, *mqtt, **login))

    def show(self, pem: bytes) -> None:
        """Start anew with this certificate."""
        if self._broker is None:
            self._open.close()
            self._serve(pem)
            return
        self._broker.stop()
        self._broker.pem.write_bytes(pem)
        self._broker.start()

    def close(self) -> None:
        self._open.close()
        if self._broker:
            self._broker.stop()

    def held(self) -> list[str]:
        """How fresh each report was, in the order in which they came."""
        asked = "SELECT freshness FROM evidence ORDER BY id"
        with sqlite3.connect(self._home / "troth.db") as store:
            return [row[0] for row in store.execute(asked)]

    def wait_for(self, reports: int) -> list[str]:
        end = time.monotonic() + 240  # a board that failed often comes back late
        while len(said := self.held()) < reports and time.monotonic() < end:
            time.sleep(0.2)
        return said

    def _serve(self, pem: bytes) -> str:
        for name in ("server.pem", "server.key"):
            (self._certs / name).write_bytes(pem)
        said = self._open.enter_context(served(self._home, "--bind", self._place))
        return str(said["attest"])


@contextmanager
def face(scheme: str, home: Path) -> Iterator[Face]:
    made = Face(scheme, home)
    try:
        yield made
    finally:
        made.close()


def heard(port: str, wanted: str) -> None:
    """Wait until the board's console says this."""
    end, said = time.monotonic() + 240, ""
    with serial.Serial(port, timeout=1) as console:
        while wanted not in said and time.monotonic() < end:
            said += console.readline().decode("utf-8", "replace")
    assert wanted in said


if os.environ.get("TROTH_BOARDS") == "all":

    @pytest.mark.parametrize("scheme", ["https", "mqtts"])
    def test_a_board_in_the_field_keeps_its_reports_for_its_own_verifier(
        scheme: str, tmp_path: Path
    ) -> None:
        home, files, image = tmp_path / "home", tmp_path / "files", tmp_path / "app.bin"
        troth(tmp_path, "init", str(home))
        files.mkdir()
        (files / "main.py").write_text("import troth_agent\n\ntroth_agent.run()\n")
        said = {"oemid": 0, "hwmodel": "m", "swname": "m", "swversion": "1.0.0", "link": scheme}
        (files / "troth.json").write_text(json.dumps({**said, "interval_s": 2, "spool": True}))
        emulator("image", "--chip", "esp32c3", "--version", "1.0.0", "-o", str(image))
        release(home, image, files, "1.0.0")
        one = tmp_path / "one.toml"
        one.write_text('[[board]]\nname = "one"\nchip = "esp32c3"\napp = "app.bin"\nserial = 1\n')
        with running(tmp_path, "--scenario", str(one)) as boards, face(scheme, home) as met:
            port = boards["boards"][0]["port"]
            troth(home, "provision", "--port", port, "--files", str(files), "--url", met.url)
            met.wait_for(2)  # the line's own, and one by itself
            for wrong, why in WRONG.items():
                met.show(pem_of(wrong, met.ca, tmp_path).read_bytes())
                heard(port, f"[link.untrusted] {why}")
            before = met.held()
            assert set(before) == {"challenge"}
            met.show(met.right)
            after = met.wait_for(len(before) + 2)[len(before) :]
            assert after[:2] == ["epoch", "challenge"]
