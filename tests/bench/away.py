"""What being away and having company cost a board, on the VM with scripts of tests/on_vm.

`agent.spool_erases_per_year`: of the flash block that wears most under the real littlefs, for a
board that is offline all the time; told from a week of compressed time. `agent.app_waits_ms`: the
longest that an application had to wait for its turn beside the agent, by the processor's time and
without signing. `agent.min_free_heap_spool_bytes` is as `agent.min_free_heap_bytes`, for a
board with a spool: each report ends with a receipt that it verifies.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import boards
from device import AGENT, BALLAST, ROM, ROOMY_BYTES, SEND, _least
from figures import Figure, at_most, reported

from troth.factory.serial import Board, quiet

ROOT = Path(__file__).resolve().parents[2]
# the same board, told to spool
SPOOLING = """
def chosen():
    board = troth_agent._board()
    with open("/troth.json") as file:
        key = json.load(file)["receipt_key"]
    board.settings.update(spool=True, receipt_key=bytes.fromhex(key))
    return board
"""


def measure() -> list[Figure]:
    sys.path[:0] = [str(ROOT / "boards"), str(ROOT / "tests")]
    import agent_server
    import vm_scripts
    from emulator.vm import find_vm

    vm = find_vm()
    week = vm_scripts.run(vm, "week.py", 700_000)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        ca = agent_server.authority()
        (at / "ca.der").write_bytes(ca.der)
        pem = agent_server.server_pem(ca, at)
        replies = [agent_server.session(), agent_server.complete()] * 3
        with agent_server.serving(pem, *replies) as verifier:
            names = {"URL": verifier.url, "CA": str(at / "ca.der"), "REPORTS": 2}
            beside = vm_scripts.run(vm, "beside.py", 200_000, **names)
    return [
        at_most("agent.spool_erases_per_year", week["worn"] * 365 / 7, "", 5000),
        at_most("agent.app_waits_ms", beside["longest_ms"], "ms", 200),
        reported("agent.min_free_heap_spool_bytes", _heap(), "B"),
    ]


def _heap() -> int:
    stage = boards.stage()
    boards.give_heap(stage, boards.STOCK, ROOMY_BYTES)
    agent = AGENT.format(keep="").replace("troth_agent._board()", "chosen()")
    agent = agent.replace("loop.report(", "away.Away().report(").replace(
        "import loop", "import away, loop"
    )
    with quiet(), Board.open(stage.port(boards.STOCK), restart=True) as board:
        least = _least(board, ROM + BALLAST + SPOOLING + agent + SEND)
        board.reset()
    return least
