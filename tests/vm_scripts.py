"""Runs the scripts of on_vm/ on the MicroPython VM; the last line of each is what it has to say."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import Any

from emulator import vm

TESTS = Path(__file__).resolve().parent
AGENT, SCRIPTS = TESTS.parent / "agent", TESTS / "on_vm"


def run(machine: vm.Vm, script: str, heap_bytes: int, **names: Any) -> dict[str, Any]:
    """The document of one script, which finds these names in its scope."""
    heap = f"heapsize={heap_bytes * machine.heap_factor}"
    start = f"import sys\nsys.path[:] = {[str(AGENT), str(SCRIPTS), '.frozen']!r}\n"
    start += "".join(f"{name} = {value!r}\n" for name, value in names.items())
    argv = [*machine.argv, "-X", heap, "-c", start + (SCRIPTS / script).read_text()]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110)
    if done.returncode != 0:
        raise RuntimeError(done.stderr + done.stdout)
    said: dict[str, Any] = ast.literal_eval(done.stdout.splitlines()[-1])
    return said
