"""The line on real MicroPython boards, through the command line as a maker types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forked import run
from troth.bundled import bundled
from troth.factory.serial import Board
from troth.testing.children import EMULATOR, Child, emulator

pytestmark = pytest.mark.vm
DEMO = bundled("boards") / "emulator" / "demo"

Start = Callable[..., str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    troth(tmp_path / "home", "init", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a board and give its port; each is a process of its own."""
    boards: list[Child] = []

    def board(name: str, *words: str) -> str:
        name = f"{name}-{os.getpid()}"
        child = Child([*EMULATOR, "run", "--name", name, "--json", *words], tmp_path / "emu.log")
        boards.append(child)
        port: str = child.document(60)["boards"][0]["port"]
        return port

    board.children = boards  # type: ignore[attr-defined]
    yield board
    for child in boards:
        child.stop()


def troth(home: Path, *words: str, exit_code: int = 0) -> dict[str, Any]:
    """Run a command to its end; its document."""
    done = run("troth", "--home", str(home), "--json", *words)
    assert done.code == exit_code, done.err
    said: dict[str, Any] = json.loads(done.out)
    return said


def release(home: Path, chip: str, profile: str, product: str, version: str) -> str:
    """A signed release of a demo product, and the image to run."""
    app = str(home / f"{product}.bin")
    emulator("image", "--chip", chip, "--profile", profile, "--version", version, "-o", app)
    folder = DEMO / product
    words = ["release", "add", app, "--files", str(folder / "files"), "--version", version]
    statement = folder / "statement.toml"
    troth(home, *words, *(["--statement", str(statement)] if statement.is_file() else []))
    return app


def test_a_hardened_board_is_enrolled_and_sealed(home: Path, start: Start) -> None:
    app = release(home, "esp32c3", "P2", "therm-v2", "1.4.0")
    port = start("seal", "--chip", "esp32c3", "--profile", "P2", "--app", app)
    words = ["provision", "--port", port, "--seal", "--files", str(DEMO / "therm-v2" / "files")]
    (row,) = troth(home, *words, "--market", "eu", "--placed", "2026-03-02")["boards"]
    assert (row["profile"], row["sealed"], row["model"]) == ("P2", True, "therm-v2")
    assert row["failing"] == []
    assert troth(home, "attest", "--port", port, exit_code=6)["code"] == "port.no-repl"


def test_a_refused_board_goes_on_with_what_it_did(home: Path, start: Start, tmp_path: Path) -> None:
    product = tmp_path / "product"
    product.mkdir()
    count = "with open('/starts', 'a') as f:\n    f.write('x')\n"
    (product / "main.py").write_text(count + "while True:\n    pass\n")
    port = start("refused", "--chip", "esp32c3", "--files", str(product))
    refused = troth(home, "provision", "--port", port, "--seal", exit_code=6)
    assert [row.get("code") for row in refused["boards"]] == ["board.not-sealable"], refused
    with Board.open(port, restart=False) as board:
        assert board.read("/starts") == b"xx"


def test_a_board_that_falls_short_is_told_with_what_and_whose(home: Path, start: Start) -> None:
    words = ("provision", "--port", start("bare"), "--market", "eu")
    done = run("troth", "--home", str(home), *words)
    assert done.code == 0, done.err
    state, *short = done.out.splitlines()
    assert state.endswith("non-compliant")
    assert "  surface.no-serial-repl: owed by maker" in short


def test_two_stock_boards_at_once_and_again(home: Path, start: Start) -> None:
    app = release(home, "esp32", "P0", "bench", "0.1.0")
    names = ["left", "right"]
    ports = [start(name, "--chip", "esp32", "--app", app) for name in names]
    words = ["provision", "--files", str(DEMO / "bench" / "files")]
    for port, name in zip(ports, names, strict=True):
        words += ["--port", port, "--name", name]
    first = troth(home, *words)["boards"]
    assert [(row["port"], row["name"]) for row in first] == list(zip(ports, names, strict=True))
    assert {row["profile"] for row in first} == {"P0"}
    assert [row["failing"] for row in first] == [[], []]
    again = troth(home, *words)["boards"]
    assert [row["device"] for row in again] == [row["device"] for row in first]
    # `unknown`, not `compliant`: a board that never reached its server shows no TLS version
    said = troth(home, "attest", "--port", ports[0], exit_code=5)
    assert (said["device"], said["failing"]) == (first[0]["device"], [])
    assert "comm.own-tls-version" in said["open"]


def test_pulled_out_and_plugged_in_again(home: Path, start: Start, tmp_path: Path) -> None:
    words = ["--chip", "esp32s3", "--state-dir", str(tmp_path / "boards")]
    port = start("pulled", *words)
    journal = home / "line.jsonl"

    def pull() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if journal.is_file() and '"agent", "state": "begin"' in journal.read_text():
                start.children[0].stop()  # type: ignore[attr-defined]
                return
            time.sleep(0.005)

    puller = threading.Thread(target=pull)
    puller.start()
    (row,) = troth(home, "provision", "--port", port, exit_code=6)["boards"]
    puller.join()
    assert (row["ok"], row["code"]) == (False, "board.unplugged")
    port = start("pulled", *words)
    (again,) = troth(home, "provision", "--port", port)["boards"]
    assert (again["ok"], again["mac"]) == (True, row["mac"])


def test_a_port_in_use_is_told_with_its_holder(home: Path, start: Start) -> None:
    port = start("held")
    hold = (
        "import serial,sys; s=serial.Serial(sys.argv[1],exclusive=True); print(1,flush=1); input()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        (row,) = troth(home, "provision", "--port", port, exit_code=6)["boards"]
    finally:
        holder.communicate(b"\n")
    assert row["code"] == "port.busy"
    assert str(holder.pid) in row["why"]
