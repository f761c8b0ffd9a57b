"""What the agent asks of a board: time for a signature, and heap for a report.

`agent.sign_ms`: ECDSA P-256 with blinding, as shipped, in the MicroPython VM with the heap of an
ESP32, its own garbage collections included; CPU time, as a board would have the core to itself.

The heap is found by bisection on an emulated board and its real verifier: all but one piece of the
heap is filled with ballast, then the board loads the agent from its files, as provisioning put them
there, measures itself, signs, and sends a full and a bare report over TLS, in the steps of the
agent's own loop.
`agent.min_free_heap_frozen_bytes` is the same with the code there before, as in a build that has it
frozen in flash. Not in either: what a chip keeps in flash (the emulator's own modules), and TLS
records, which lie outside this heap here as they do there.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import boards
from figures import Figure, at_most, reported

from troth.factory.serial import Board, quiet
from troth.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]
HEAP_BYTES = 112_000
RUNS, BATCHES, SIGNATURES = 3, 25, 20
STEP_BYTES, ABOVE = 256, 6

SIGN = f"""
import sys, time
sys.path.insert(0, {str(ROOT / "agent")!r})
from hashlib import sha256
from troth_agent import p256
private = sha256(b"bench").digest()
def batch():
    start = time.clock()
    for i in range({SIGNATURES}):
        p256.sign(private, sha256(b"%d" % i).digest())
    return (time.clock() - start) * 1000 / {SIGNATURES}
batch()
print([batch() for _ in range({BATCHES})])
"""

# what a chip has in flash and the emulator in the heap; `hold` is the ballast's list
ROM = """
hold = [None] * 2000
import binascii, esp, esp32, gc, hashlib, json, machine, network, os, socket, sys, time, tls
esp32.Partition(esp32.Partition.RUNNING).info()
network.WLAN(network.WLAN.IF_STA).isconnected()
network.WLAN(network.WLAN.IF_AP).active()
def fill():
    size, n = 65536, 0
    while size >= 16:
        try:
            while True:
                hold[n] = bytearray(size)
                n += 1
        except MemoryError:
            size //= 2
"""
AGENT = """
import troth_agent
{keep}
def report(known):
    troth_agent._settle(None)
    from troth_agent import loop
    return loop.finish(loop.report(troth_agent._board(), troth_agent._key, known))
"""
BALLAST = """
gc.collect()
piece = bytearray({free})
fill()
piece = None
gc.collect()
free = gc.mem_free()
"""
SEND = """
report(report(b""))
print('troth: {"free": %d}' % free)
"""
LOADED = """
report(b"")
troth_agent.boot._this.clear()
"""
FROZEN = (
    ROM + AGENT.format(keep="troth_agent.forget = lambda *names: None") + LOADED + BALLAST + SEND
)
FROM_FILES = ROM + BALLAST + AGENT.format(keep="") + SEND
_ASK_S = 20
# the second: the prompt itself found none, and the board started anew
_NO_MEMORY = ("board.memory", "board.unplugged")
ROOMY_BYTES = 400_000  # so that the ballast alone decides what is free


def measure() -> list[Figure]:
    return [
        at_most("agent.sign_ms", _sign_ms(), "ms", 1.6),
        *_heap_figures(),
    ]


def _heap_figures() -> list[Figure]:
    stage = boards.stage()
    boards.give_heap(stage, boards.STOCK, ROOMY_BYTES)
    with quiet(), Board.open(stage.port(boards.STOCK), restart=True) as board:
        from_files = _least(board, FROM_FILES)
        frozen = _least(board, FROZEN)
        board.reset()
    return [
        at_most("agent.min_free_heap_bytes", from_files, "B", 40_000),
        reported("agent.min_free_heap_frozen_bytes", frozen, "B"),
    ]


def _sign_ms() -> float:
    """The median batch of the quietest run: what else uses the cores can only add to it."""
    sys.path.insert(0, str(ROOT / "boards"))
    from emulator.vm import find_vm

    vm = find_vm()
    heap = f"heapsize={HEAP_BYTES * vm.heap_factor}"
    argv = [*vm.argv, "-X", heap, "-c", SIGN]
    runs = [subprocess.run(argv, capture_output=True, text=True, check=True) for _ in range(RUNS)]
    return min(statistics.median(json.loads(said.stdout)) for said in runs)


def _least(board: Board, code: str) -> int:
    """The smallest free heap with which this code ran to its end, and with somewhat more too: how
    the pieces fall has some luck in it.
    """
    few, enough = 4_000, _free(board, code, 120_000)
    if enough is None:
        raise RuntimeError("the agent does not report even with 120 kB of free heap")
    while enough - few > STEP_BYTES:
        middle = (few + enough) // 2
        free = _free(board, code, middle)
        few, enough = (middle, enough) if free is None else (few, free)
    lucky = [n for n in range(ABOVE) if _free(board, code, enough + n * STEP_BYTES) is None]
    return enough + STEP_BYTES * (max(lucky) + 1 if lucky else 0)


def _free(board: Board, code: str, free: int) -> int | None:
    """What was free when the reports went out; None when memory ran out."""
    board.restart()
    try:
        return int(board.ask(code.replace("{free}", str(free)), _ASK_S)["free"])
    except Trouble as err:
        if err.code not in _NO_MEMORY:
            raise
        return None
