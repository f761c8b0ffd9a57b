"""Programs written in Python, each run as a process of its own that has its imports behind it.

To start Python and import takes most of a second of every one of these; a fork of a server that
has done it takes none.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_PROGRAMS = ("esptool", "espefuse", "espsecure", "mpremote.main", "emulator.cli", "troth.cli.line")
_SERVER.set_forkserver_preload(["forked", *_PROGRAMS])


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str


def run(
    program: str, *words: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Result:
    """Run `python -m program words`, or a folder with a `__main__.py`, to its end."""
    with tempfile.TemporaryDirectory() as folder:
        said = [Path(folder, name) for name in ("out", "err")]
        place = (dict(env or os.environ), str(cwd or Path.cwd()))
        process = _SERVER.Process(target=_be, args=(program, words, said, *place))
        process.start()
        process.join(110)  # a test has 120 s
        code = process.exitcode
        if code is None:
            process.kill()
            raise TimeoutError(f"{program} {' '.join(words)}")
        return Result(code, *(file.read_text() for file in said))


def tool(program: str, *words: str, cwd: Path | None = None) -> str:
    """What a program that must succeed says."""
    said = run(program, *words, cwd=cwd)
    assert said.code == 0, said
    return said.out


def espefuse(chip: str, fuses: Path, *words: str, cwd: Path | None = None) -> str:
    """Work on the fuses of a chip that is a file."""
    virtual = ("--chip", chip, "--virt", "--path-efuse-file", str(fuses), "--do-not-confirm")
    return tool("espefuse", *virtual, *words, cwd=cwd)


def _be(
    program: str, words: tuple[str, ...], said: list[Path], env: dict[str, str], cwd: str
) -> None:
    for stream, file in zip((1, 2), said, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = [program, *words]
    run_it = runpy.run_path if Path(program).is_dir() else runpy.run_module
    run_it(program, run_name="__main__")
