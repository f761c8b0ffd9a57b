"""`troth serve` as a child process: it says when it listens, serves both, and stops when told."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import cbor2
import httpx
import pytest

import forge
import house
from forked import run
from standing import NOW, demo_fleet
from troth.cli.serve import _Chores
from troth.core.verdict import State
from troth.factory.home import make_home
from troth.ingest import door, server
from troth.ingest.pipeline import Pipeline
from troth.ingest.results import Results
from troth.store import Store

TROTH = (sys.executable, "-c", "from troth.cli import main; main()")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    subprocess.run([*TROTH, "init", str(home)], check=True, capture_output=True)
    return home


def words(home: Path, *args: str) -> tuple[str, ...]:
    ports = ("--bind", "127.0.0.1:0", "--pages", "127.0.0.1:0")
    return ("--home", str(home), "serve", *(args or ports), "--json")


@contextmanager
def serving(home: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    argv = [*TROTH, *words(home, *args)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        line = child.stdout.readline()
        assert line, child.stderr.read()
        yield child, json.loads(line)
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("name", ["ear.key", "server.key"])
def test_a_key_that_others_may_read_is_not_served_with(tmp_path: Path, name: str) -> None:
    make_home(tmp_path)
    Store.open(f"sqlite:///{tmp_path / 'troth.db'}", create=True).close()
    (tmp_path / "certs" / "dev" / name).chmod(0o644)
    refused = run("troth", *words(tmp_path))
    assert (json.loads(refused.out)["code"], refused.code) == ("key.exposed", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_says_where_it_listens_and_stops_when_told(home: Path, number: int) -> None:
    with serving(home) as (child, said):
        assert said["schema"] == "troth/serve/1"
        trusted = ssl.create_default_context(cafile=str(home / "certs" / "dev" / "ca.pem"))
        with httpx.Client(verify=trusted) as client:
            assert client.get(said["attest"] + "/healthz").json()["status"] == "ok"
            opened = client.post(said["attest"] + "/challenge-response/v1/newSession")
            assert opened.status_code == 201
        if said["pages"]:
            assert httpx.get(said["pages"]).status_code < 500
        child.send_signal(number)
        assert child.wait(timeout=15) == 0


def test_behind_a_proxy_it_speaks_plain_http_to_this_machine_alone(home: Path) -> None:
    with serving(home, "--plain", "--bind", "127.0.0.1:0", "--pages", "127.0.0.1:0") as (_, said):
        assert said["attest"].startswith("http://127.0.0.1:")
        assert httpx.get(said["attest"] + "/healthz").json()["status"] == "ok"
    everywhere = ("--plain", "--bind", "0.0.0.0:0", "--pages", "127.0.0.1:0")
    refused = run("troth", *words(home, *everywhere))
    assert (json.loads(refused.out)["code"], refused.code) == ("config.plain", 2)


def test_a_policy_that_changed_while_nobody_served_is_applied(tmp_path: Path) -> None:
    fleet = demo_fleet(tmp_path)
    strict = replace(fleet.policy, max_evidence_age=60)
    pipeline = Pipeline(
        fleet.store, fleet.catalogue, strict, Results(house.ear_key()), clock=lambda: NOW
    )
    _Chores(pipeline)()
    assert {each.state for each in fleet.store.states().values()} == {State.STALE}
    fleet.store.close()


def test_a_board_that_sleeps_needs_no_challenge_of_its_own(home: Path) -> None:
    board = forge.Device(1)
    with Store.open(f"sqlite:///{home / 'troth.db'}") as store:
        house.enrol(store, board)
    trusted = ssl.create_default_context(cafile=str(home / "certs" / "dev" / "ca.pem"))
    kind = {"content-type": "application/eat-bun+cbor"}
    with serving(home) as (_, said), httpx.Client(verify=trusted) as client:
        api = said["attest"] + "/troth/v1/"
        handle = cbor2.loads(client.get(api + "epoch").content)[10]
        raw = board.bundle(handle, counter=0)
        told = client.post(api + "evidence", content=raw, headers=kind)
        assert (told.status_code, cbor2.loads(told.content)) == (200, {"status": 0})
    with serving(home) as (_, said), httpx.Client(verify=trusted) as client:
        api = said["attest"] + "/troth/v1/"
        assert cbor2.loads(client.get(api + "epoch").content)[10] == handle, "it survives a restart"
        digest = hashlib.sha256(raw).digest()
        told = client.post(f"{api}receipt?ueid={board.ueid.hex()}", content=digest)
        payload = cbor2.loads(cbor2.loads(told.content).value[2])
        assert payload[-80003] == [digest]


def test_a_board_that_trusts_another_ca_is_not_served(home: Path) -> None:
    with serving(home) as (_, said), pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(said["attest"] + "/healthz")


def test_a_busy_port_is_told_before_anything_starts(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        there = ("--bind", f"127.0.0.1:{port}", "--pages", "127.0.0.1:0")
        refused = run("troth", *words(home, *there))
    assert refused.code == 7
    assert "error[server.port-busy]" in refused.err


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /challenge", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_who_never_finishes_a_request_is_cut_off(
    begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_TIMEOUT_S", 0.2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        while (await receive())["type"] != "http.disconnect":
            pass

    async def main() -> float:
        listener = server.Listener(app, server.listen("127.0.0.1:0"))
        uvicorn = server._Server(server._config(listener))
        task = asyncio.create_task(uvicorn.serve(sockets=[listener.sock]))
        while not uvicorn.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.sock.getsockname())
        writer.write(begun)
        began = time.monotonic()
        assert await reader.read() == b""
        took = time.monotonic() - began
        writer.close()
        uvicorn.should_exit = True
        await task
        return took

    assert asyncio.run(main()) < 5
