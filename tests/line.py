"""A maker's line for tests: a home, its verifier, boards of its own, and what is said of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from emulated import own_env
from troth.cli import root
from troth.cli.output import exit_code
from troth.core.verdict import State
from troth.store import Store
from troth.testing.children import EMULATOR, TROTH, Child, emulator
from troth.testing.ledger import Standing, read_standing
from troth.trouble import Trouble


def troth(home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Run a command to its end, in this process: starting one takes longer; its document."""
    argv = ["--home", str(home), "--json", *words]
    done = CliRunner().invoke(root, argv, standalone_mode=False)
    if isinstance(done.exception, Trouble):
        trouble = done.exception
        assert exit_code(trouble.code) == code, vars(trouble)
        return {"code": trouble.code, **vars(trouble)}
    assert done.exception is None, (done.output, repr(done.exception))
    assert done.return_value in (code, None), done.output
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@contextmanager
def child(at: Path, *argv: str, **env: str) -> Iterator[dict[str, Any]]:
    """A process that says one document when it is ready; ended with the block."""
    process = Child(argv, at / "log", {**own_env(at), **env})
    try:
        yield process.document(90)
    finally:
        process.stop()


def served(home: Path, *words: str, **env: str) -> Any:
    """The verifier of a home; `attest` is where it listens."""
    ports = ("--bind", "127.0.0.1:0", "--pages", "127.0.0.1:0")
    return child(home, *TROTH, "--home", str(home), "serve", "--json", *ports, *words, **env)


def running(at: Path, *words: str) -> Any:
    """Boards of `emu run`."""
    return child(at, *EMULATOR, "run", "--json", *words)


def release(
    home: Path, image: Path, files: Path, version: str, statement: Path | None = None
) -> None:
    """A signed release of this image with these files."""
    words = ["--files", str(files), "--version", version]
    words += ["--statement", str(statement)] if statement else []
    troth(home, "release", "add", str(image), *words)


def wait_for(home: Path, name: str, until: Callable[[Standing], bool], wait_s: float) -> Standing:
    """What is said of a device, as soon as it is as wanted, or at the end."""
    standing = None
    with Store.open(f"sqlite:///{home / 'troth.db'}") as store:
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            standing = read_standing(store, name)
            if standing and until(standing):
                return standing
            time.sleep(0.25)
    assert standing, f"{name} was never heard"
    return standing


def compliant(standing: Standing) -> bool:
    return standing.state is State.COMPLIANT


__all__ = ["child", "compliant", "emulator", "release", "running", "served", "troth", "wait_for"]
