"""What the agent takes of a board: flash for its modules, heap under each signer, time for images.

`mpy.*_bytes`: each module as it is installed. `agent.mpy_default_bytes` is the sum of those that a
stock board loads to report over HTTPS under its own key, `agent.mpy_provision_bytes` of those that
it needs once more, to be enrolled; all others are there for who chooses them.
`agent.answer_heap_*_bytes`: the least free heap in which a board measures itself and signs one
answer, without a link; it has the agent as it is installed, or (`sources`) compiles it.
`agent.image_hash_mb_s`: the VM reading an image back in the agent's own steps, from memory, so
without the chip's flash.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import boards
from device import AGENT, BALLAST, LOADED, ROM, ROOMY_BYTES, ROOT, _least
from figures import Figure, at_most, reported

import emulated
from troth.factory.serial import Board, quiet

# name: signer, profile, and how the agent lies on the board
BOARDS = {
    "soft": ("soft", "P0", "bytecode"),
    "efuse_hmac": ("efuse-hmac", "P1", "bytecode"),
    "atecc608": ("atecc608", "P1", "bytecode"),
    "soft_sources": ("soft", "P0", "sources"),
}
SETTINGS = {"oemid": 1, "hwmodel": "bench", "swname": "bench", "swversion": "1", "interval_s": 60}
ENROLLED = """
import troth_agent.asked, troth_agent.keys.birth, troth_agent.link.serial
"""
MODULES = """
print('troth: ' + json.dumps({"modules": [name for name in sys.modules if "troth_agent" in name]}))
"""
ANSWER = """
import troth_agent
troth_agent.answer(bytes(32))
print('troth: {"free": %d}' % free)
"""
HASH = f"""
import sys, time
sys.path.insert(0, {str(ROOT / "agent")!r})
from troth_agent import image
SEGMENT = 1 << 20
data = bytearray(b"\\xe9\\x01" + bytes(26) + SEGMENT.to_bytes(4, "little"))
data.extend(bytes(SEGMENT + 4096))
whole = memoryview(data)
def read(at, buf):
    buf[:] = whole[at : at + len(buf)]
def run():
    start = time.ticks_us()
    for _ in image.measure(read, len(data)):
        pass
    return SEGMENT / time.ticks_diff(time.ticks_us(), start)
print(max(run() for _ in range(5)))
"""


def measure() -> list[Figure]:
    sizes = _sizes()
    loaded, enrolled = _loaded(LOADED), _loaded(LOADED + ENROLLED)
    return [
        *(reported(f"mpy.{_short(name)}_bytes", size, "B") for name, size in sizes.items()),
        reported("agent.mpy_bytes", sum(sizes.values()), "B"),
        at_most("agent.mpy_default_bytes", sum(map(sizes.__getitem__, loaded)), "B", 30_000),
        reported("agent.mpy_provision_bytes", sum(sizes[name] for name in enrolled - loaded), "B"),
        *_heaps(),
        reported("agent.image_hash_mb_s", _hash_mb_s(), "MB/s"),
    ]


def _sizes() -> dict[str, int]:
    """Module -> bytes."""
    root = ROOT / "agent/bytecode"
    return {
        _module(path.relative_to(root).as_posix()): path.stat().st_size
        for path in sorted(root.rglob("*.mpy"))
    }


def _module(path: str) -> str:
    return path.removesuffix(".mpy").removesuffix("/__init__").replace("/", ".")


def _short(module: str) -> str:
    return module.removeprefix("troth_agent.")


def _loaded(code: str) -> set[str]:
    """The modules that the stock board has loaded once it has done this."""
    code = ROM + AGENT.format(keep="troth_agent.forget = lambda *names: None") + code + MODULES
    stage = boards.stage()
    boards.give_heap(stage, boards.STOCK, ROOMY_BYTES)
    with quiet(), Board.open(stage.port(boards.STOCK), restart=True) as board:
        names = set(board.ask(code)["modules"])
        board.reset()
    return names


def _heaps() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="troth-bench-") as folder:
        at = Path(folder) / "boards"
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "agent/troth_agent", at / "sources/lib/troth_agent", ignore=skip)
        shutil.copytree(ROOT / "agent/bytecode", at / "bytecode/lib")
        for form in ("sources", "bytecode"):
            (at / form / "troth.json").write_text(json.dumps(SETTINGS))
        rows = [
            f'[[board]]\nname = "{name}"\nsigner = "{signer}"\nprofile = "{profile}"\n'
            f'files = "{form}"\n'
            for name, (signer, profile, form) in BOARDS.items()
        ]
        with emulated.boards(at, scenario="".join(rows)) as stage:
            return [_heap(stage, name) for name in BOARDS]


def _heap(stage: emulated.Stage, name: str) -> Figure:
    facts = stage.folder / name / "board.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"heap_bytes": ROOMY_BYTES}))
    with quiet(), Board.open(stage.port(name), restart=True) as board:
        board.restart()
        board.agent("enroll()")
        least = _least(board, ROM + BALLAST + ANSWER)
    return reported(f"agent.answer_heap_{name}_bytes", least, "B")


def _hash_mb_s() -> float:
    sys.path.insert(0, str(ROOT / "boards"))
    from emulator.vm import find_vm

    argv = [*find_vm().argv, "-X", "heapsize=8m", "-c", HASH]
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    return float(said.stdout)
