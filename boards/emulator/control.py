"""Asking the emulators that run: who is there, set a fault, stop."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

from emulator.places import runtime_dir
from emulator.trouble import BOARD, Trouble

PATIENCE_S = 10
WORK_S = 120  # a fault may take several short lives of the VM


def ask(path: Path, **asked: Any) -> dict[str, Any]:
    """One question to one emulator."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(PATIENCE_S if asked["do"] == "list" else WORK_S)
        link.connect(str(path))
        link.sendall(json.dumps(asked).encode() + b"\n")
        said: dict[str, Any] = json.loads(link.makefile().readline() or "{}")
    if "error" in said:
        code, what, fix, exit_code = said["error"]
        raise Trouble(code, what, fix, exit_code)
    return said


def running() -> dict[Path, list[dict[str, Any]]]:
    """Every emulator of this user with its boards; what the dead have left is swept away."""
    found = {}
    for path in sorted(runtime_dir().glob("*.sock")):
        try:
            found[path] = ask(path, do="list").get("boards", [])
        except (ConnectionRefusedError, FileNotFoundError):
            folders = path.with_suffix(".boards")
            shutil.rmtree(folders.resolve(), ignore_errors=True)
            for left in (path, folders, *path.parent.glob(f"{path.stem}-*.port")):
                left.unlink(missing_ok=True)
        except (OSError, ValueError):
            continue  # one that is just ending
    return found


def boards() -> list[dict[str, Any]]:
    """All boards of this user."""
    return [board for rows in running().values() for board in rows]


def find(name: str) -> Path:
    """The emulator that runs this board."""
    for path, rows in running().items():
        if any(row["name"] == name for row in rows):
            return path
    raise Trouble(
        "board.unknown", f"no board called {name} is running", "see them: troth emu list", BOARD
    )


def stop(names: tuple[str, ...]) -> int:
    """Switch these boards off, or all; how many they were."""
    if not names:
        everyone = running()
        for path, rows in everyone.items():
            ask(path, do="stop", names=[row["name"] for row in rows])
        return sum(len(rows) for rows in everyone.values())
    for name in names:
        ask(find(name), do="stop", names=[name])
    return len(names)


def set_fault(name: str, fault: str) -> None:
    """Give a running board a fault, or take it away with `none`."""
    from emulator.faults import check_known

    check_known(fault)
    path = find(name)
    try:
        said = ask(path, do="fault", name=name, fault=fault)
    except (OSError, ValueError) as err:
        raise _silent(name) from err
    if not said:
        raise _silent(name)


def _silent(name: str) -> Trouble:
    return Trouble("board.silent", f"the emulator of {name} gave no answer", "troth emu list")
