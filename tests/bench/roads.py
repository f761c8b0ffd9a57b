"""One report by each road: what a board waits for, over loopback, once it has measured itself.

`agent.report_https_ms`, `agent.report_mqtt_ms`: an emulated board, whose claims-set is known; the
handshake of TLS, challenge, signing, report and answer; the median. The broker is nats-server.
`agent.min_free_heap_mqtt_bytes` is as `agent.min_free_heap_bytes` in device.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boards
from device import AGENT, BALLAST, ROM, ROOMY_BYTES, SEND, _least
from figures import Figure, reported

from brokers import VERIFIER, broker
from troth.factory.serial import Board, quiet
from troth.testing.stage import Stage

REPORTS = 15
WORD = "of the bench"

# the same board, told of another road
TURN = """
def turned(board, url={url!r}):
    if url:
        board.settings.update(url=url, scheme="mqtts", password={word!r})
    return board
"""
TIMED = """
import gc, json, time
import troth_agent
troth_agent._settle(None)
from troth_agent import loop
board = turned(troth_agent._board())
measured = loop.finish(board.steps())
def steps():
    yield 0
    return measured
board.steps = steps
known, took = b"", []
for _ in range({reports} + 1):
    start = time.ticks_ms()
    known = loop.finish(loop.report(board, troth_agent._key, known))
    took.append(time.ticks_diff(time.ticks_ms(), start))
    gc.collect()
print("troth: " + json.dumps({{"took": took[1:]}}))
"""


def measure() -> list[Figure]:
    stage = boards.stage()
    boards.give_heap(stage, boards.STOCK, ROOMY_BYTES)
    device = stage.store.device(boards.STOCK)
    if device is None:
        raise RuntimeError("the stage has no such board")
    port = stage.port(boards.STOCK)
    agent = AGENT.format(keep="").replace("troth_agent._board()", "turned(troth_agent._board())")
    with _behind(stage, device.ueid) as url, quiet(), Board.open(port, restart=True) as board:
        https = _took(board, "")
        mqtt = _took(board, url)
        heap = _least(board, ROM + BALLAST + TURN.format(url=url, word=WORD) + agent + SEND)
        board.reset()
    return [
        reported("agent.report_https_ms", https, "ms"),
        reported("agent.report_mqtt_ms", mqtt, "ms"),
        reported("agent.min_free_heap_mqtt_bytes", heap, "B"),
    ]


def _took(board: Board, url: str) -> float:
    board.restart()
    code = TURN.format(url=url, word=WORD) + TIMED.format(reports=REPORTS)
    return statistics.median(board.ask(code)["took"])


@contextmanager
def _behind(stage: Stage, ueid: str) -> Iterator[str]:
    """A broker, and a verifier of the stage's own store that serves it."""
    keys = stage.settings.keys
    with tempfile.TemporaryDirectory(prefix="troth-broker-") as folder:
        at = Path(folder)
        pem = at / "broker.pem"
        pem.write_bytes(
            stage.settings.server_cert.read_bytes() + stage.settings.server_key.read_bytes()
        )
        with broker("nats", at, pem, {VERIFIER: WORD, ueid: WORD}) as road:
            serve = (
                sys.executable,
                "-m",
                "troth",
                "--home",
                str(stage.settings.home),
                "serve",
                "--quiet",
            )
            ports = ("--bind", "127.0.0.1:0", "--pages", "127.0.0.1:0")
            through = ("--mqtt", road.url, "--mqtt-ca", str(keys / "ca.pem"))
            env = {**os.environ, "TROTH_MQTT_USER": VERIFIER, "TROTH_MQTT_PASSWORD": WORD}
            child = subprocess.Popen(
                [*serve, *ports, *through],
                env=env,
                text=True,
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            try:
                assert child.stderr
                said = child.stderr.readline()
                if "connected" not in said:
                    raise RuntimeError(said)
                yield road.url
            finally:
                child.terminate()
                child.communicate(timeout=20)
