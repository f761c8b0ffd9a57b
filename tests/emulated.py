"""Boards for tests: an emulator of one's own, apart from whatever else the user runs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forked import Result, run

ROOT = Path(__file__).resolve().parents[1]
EMULATOR = str(ROOT / "boards" / "emulator")


@dataclass(frozen=True)
class Stage:
    """A running emulator and the commands that reach it."""

    boards: dict[str, dict[str, Any]]
    folder: Path
    env: dict[str, str]

    def port(self, name: str) -> str:
        return str(self.boards[name]["port"])

    def emu(self, *words: str) -> Result:
        return run(EMULATOR, *words, env=self.env)

    def mpremote(self, name: str, *words: str, cwd: Path | None = None) -> Result:
        said = run("mpremote", "connect", self.port(name), *words, env=self.env, cwd=cwd)
        if "reset" in words or "--no-follow" in words:
            time.sleep(0.3)  # it leaves before the board does it: `reset` waits 0.1 s
        return said

    def python(self, name: str, code: str) -> str:
        said = self.mpremote(name, "exec", code)
        assert said.code == 0, said
        return said.out.replace("\r\n", "\n")


def own_env(at: Path) -> dict[str, str]:
    """A user of the emulator whom nobody else knows."""
    runtime = at / "run"
    runtime.mkdir(exist_ok=True)
    state = at.parent / "state"  # one boot key for all of a test run: making one takes a second
    return {**os.environ, "XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(state)}


def peripheral(name: str) -> Any:
    """The model of a chip's peripheral, a module of the boards' own, as CPython runs it."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"boards/emulator/rom/lib/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def boards(at: Path, *words: str, scenario: str = "") -> Iterator[Stage]:
    """Run boards until the end of the block."""
    env = own_env(at)
    if scenario:
        (at / "scenario.toml").write_text(scenario)
        words = ("--scenario", str(at / "scenario.toml"), *words)
    folder = at / "boards"
    argv = (sys.executable, EMULATOR, "run", "--json", "--state-dir", str(folder), *words)
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, text=True)
    try:
        assert process.stdout is not None
        rows = json.loads(process.stdout.readline())["boards"]
        yield Stage({row["name"]: row for row in rows}, folder, env)
    finally:
        process.terminate()
        process.wait(10)
