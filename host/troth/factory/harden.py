"""Hardens one chip, virtual or real, by the plan: looks before each step that cannot be undone.

Espressif's tools are GPL programs and run as children. A chip must show the plan up to some step
and nothing beyond it; anything else was done in another order, and stops before harm.
"""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..bundled import bundled
from ..core.keyring import mac_key_id
from ..trouble import Trouble
from .fuses import security_words
from .hardening import DIGEST, FLASH_KEY, HMAC_KEY, KEY_FILES, SEAL, Chip, Mark, Step

EFUSES = "efuse.bin"
UNIT = "unit.json"
_SUMMARY = "summary.json"
_MAC = "mac"
# a first ESP32 of revision 3.0: the virtual one is older, and secure boot v2 came with 3.0
_SEEDS = {"esp32": ("--token", "EFSR:esp32:300::::::EorVNA")}
_AGAIN = "take another chip; boards/README.md tells what breaks in another order"

State = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Target:
    """One chip and the folder with its keys and images; no port means a virtual chip."""

    chip: Chip
    folder: Path
    port: str = ""

    def command(self, step: Step) -> list[str]:
        """The program and its words, as a person would type them in the folder."""
        if step.tool == "espsecure":
            return ["espsecure", *step.words]
        if step.tool == "esptool":
            place = ["--port", self.port or "PORT"]
        elif self.port:
            place = ["--port", self.port, "--do-not-confirm"]
        else:
            place = ["--virt", "--path-efuse-file", EFUSES, "--do-not-confirm"]
        return [step.tool, "--chip", self.chip.id, *place, *step.words]


@dataclass(frozen=True, slots=True)
class Done:
    """One step and how it went: ran, was there, or not on a virtual chip."""

    step: Step
    command: str
    how: str


def need_tools() -> None:
    """Raises Trouble `harden.tools` when Espressif's programs are not installed."""
    if find_spec("espefuse") is None:
        raise Trouble(
            "harden.tools",
            "esptool is not installed: it burns, signs and flashes",
            fix="pip install 'troth[flash]'; in a checkout: make setup",
        )


def make_image(target: Target) -> None:
    """An unsigned image by the emulator, for who only tries the plan."""
    emulator = [sys.executable, str(bundled("boards") / "emulator"), "image"]
    words = ["--chip", target.chip.id, "--profile", "P2", "--version", "1.0.0", "--unsigned"]
    _child("the emulator", [*emulator, *words, "-o", "app.bin"], target.folder)


def read_state(target: Target) -> State:
    """All fuses as espefuse shows them; a virtual chip that is not there yet is a new one."""
    _check_kind(target)
    if not target.port and not (target.folder / EFUSES).is_file():
        _new_chip(target)
    place = ["--port", target.port] if target.port else ["--virt", "--path-efuse-file", EFUSES]
    words = [*place, "summary", "--format", "json", "--file", _SUMMARY]
    _child("espefuse", _module("espefuse", ["--chip", target.chip.id, *words]), target.folder)
    path = target.folder / _SUMMARY
    state: State = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    return state


def _new_chip(target: Target) -> None:
    """A virtual chip as it leaves Espressif: blank, but for an address of its own."""
    path, chip = target.folder / EFUSES, target.chip
    if seed := _SEEDS.get(chip.id):
        words = ["--virt", "--path-efuse-file", EFUSES, *seed, "summary"]
        _child("espefuse", _module("espefuse", ["--chip", chip.id, *words]), target.folder)
    fuses = bytearray(path.read_bytes() if seed else bytes(chip.efuse_bytes))
    mac = chip.oui + secrets.token_bytes(3)
    end = len(fuses) - chip.mac_offset  # words run backwards in this file
    fuses[end - 4 : end] = mac[2:]
    fuses[end - 6 : end - 4] = mac[:2]
    path.write_bytes(fuses)


def mac_of(state: State) -> bytes:
    """The chip's MAC address."""
    return bytes.fromhex(str(state["MAC"]["value"])[:17].replace(":", ""))


def settle_folder(target: Target, steps: Iterable[Step], state: State) -> None:
    """One folder, one chip: keys of another chip, or new ones for a burned chip, would kill it."""
    mac = mac_of(state).hex()
    if _mark(target)[:1] not in ([], [mac]):
        raise _of_another(target, f"this one is {mac}")
    keys = next(step for step in steps if step.name == "keys")
    if _begun(target, keys, state) and not (target.folder / FLASH_KEY).is_file():
        raise Trouble(
            "harden.folder",
            f"this chip has its keys, and {target.folder} does not hold them",
            fix="name the folder in which they were made",
        )
    (target.folder / _MAC).write_text(f"{mac} {target.chip.id}", encoding="utf-8")


def _check_kind(target: Target) -> None:
    """The fuses of one kind of chip make no sense read as those of another."""
    kind = _mark(target)[1:]
    if kind not in ([], [target.chip.id]):
        raise _of_another(target, f"an {kind[0]}, not an {target.chip.id}")


def _mark(target: Target) -> list[str]:
    """Whose folder this is: MAC and kind of chip; nothing yet in a new one."""
    mark = target.folder / _MAC
    return mark.read_text(encoding="utf-8").split() if mark.is_file() else []


def _of_another(target: Target, why: str) -> Trouble:
    what = f"{target.folder} holds the keys of another chip"
    return Trouble("harden.folder", what, why=why, fix="give each chip a folder of its own")


def harden(
    target: Target, steps: Iterable[Step], state: State, ask: Callable[[], None], only: str = ""
) -> tuple[list[Done], State]:
    """Walk the plan; `ask` is called once, before the first thing that cannot be undone."""
    steps = list(steps)
    if only and only not in [step.name for step in steps]:
        names = ", ".join(step.name for step in steps)
        raise Trouble("usage.step", f"no step is called {only}", fix=f"choose one of {names}")
    done, asked = [], False
    for step in steps:
        if only and step.name != only:
            continue
        how = "ran"
        if step.makes in KEY_FILES and (target.folder / step.makes).is_file():
            how = "was there"
        elif step.tool == "esptool" and not target.port:
            how = "not on a virtual chip"
        elif step.marks and _holds(target, step, state):
            how = "was there"
        else:
            if step.marks:
                look(target, step, steps, state)
            if (step.marks or step.tool == "esptool") and not asked:
                ask()
                asked = True
            _run(target, step)
            if step.marks:
                state = _read_back(target, step, state)
        done.append(Done(step, shlex.join(target.command(step)), how))
    return done, state


def _read_back(target: Target, step: Step, state: State) -> State:
    """The chip after a step; behind the last one a real chip tells nobody anything any more."""
    if target.port and step.name == SEAL:
        said = {
            mark.field: {**state[mark.field], "raw_value": hex(mark.value)} for mark in step.marks
        }
        return {**state, **said}
    state = read_state(target)
    _compare(target, step, state)
    return state


def look(target: Target, step: Step, steps: list[Step], state: State) -> None:
    """Raises Trouble unless the chip has all that comes before this step and nothing after it."""
    burning = [one for one in steps if one.marks]
    at = burning.index(step)
    missing = [one.name for one in burning[:at] if not _holds(target, one, state)]
    ahead = [one.name for one in burning[at + 1 :] if _begun(target, one, state)]
    if missing or ahead:
        found = "; ".join(
            [f"{name} is not done yet" for name in missing]
            + [f"{name} was burned already" for name in ahead]
        )
        fix = f"do first: {', '.join(missing)}" if missing and not ahead else _AGAIN
        raise Trouble("harden.order", f"{step.name} is out of order", why=found, fix=fix)
    used = [mark.field for mark in step.marks if _taken(mark, state)]
    if used:
        raise Trouble(
            "harden.used", f"{step.name}: {', '.join(used)} holds something else", fix=_AGAIN
        )


def _holds(target: Target, step: Step, state: State) -> bool:
    return all(_shows(target, mark, state) for mark in step.marks)


def _begun(target: Target, step: Step, state: State) -> bool:
    first = step.marks[0]
    if first.kind == "digest":
        return _taken(first, state)
    return _shows(target, first, state)


def _shows(target: Target, mark: Mark, state: State) -> bool:
    fuse = state[mark.field]
    match mark.kind:
        case "holds":
            return int(fuse["raw_value"], 16) & mark.value == mark.value
        case "secret":
            return not fuse["readable"] and not fuse["writeable"]
        case "locked":
            return not fuse["writeable"]
    digest = target.folder / DIGEST
    return digest.is_file() and _raw(fuse) == digest.read_bytes()[: len(_raw(fuse))]


def _taken(mark: Mark, state: State) -> bool:
    """Is a key block no longer as the factory left it?"""
    fuse = state[mark.field]
    if mark.kind in ("secret", "digest"):
        return not fuse["readable"] or not fuse["writeable"] or any(_raw(fuse))
    if mark.field.startswith("KEY_PURPOSE_"):
        return int(fuse["raw_value"], 16) != 0
    return False


def _raw(fuse: dict[str, Any]) -> bytes:
    return bytes.fromhex(fuse["raw_value"][2:])


def _compare(target: Target, step: Step, state: State) -> None:
    wrong = [mark.field for mark in step.marks if not _shows(target, mark, state)]
    if wrong:
        raise Trouble(
            "harden.readback",
            f"{step.name}: the chip does not show what was burned",
            why=", ".join(wrong),
            fix="take another chip, and keep this one for Espressif's support",
        )


def _run(target: Target, step: Step) -> None:
    tool, *words = target.command(step)
    _child(tool, _module(tool, words), target.folder)


def _module(tool: str, words: list[str]) -> list[str]:
    return [sys.executable, "-m", tool, *words]


def _child(tool: str, argv: list[str], folder: Path) -> None:
    """Keys are made for their owner alone; what a tool says is shown only when it fails."""
    ended = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, check=False, umask=0o077
    )
    if ended.returncode:
        said = [
            line for line in (ended.stdout + ended.stderr).splitlines() if line.strip(" ╭─╮│╰╯")
        ]
        raise Trouble(
            "harden.tool",
            f"{tool} failed",
            why="; ".join(line.strip(" │") for line in said[-3:]),
            fix="mend what it says, then run the same command: what is done stays done",
        )


def write_unit(target: Target, steps: Iterable[Step], state: State) -> bool:
    """What the line knows of a chip that it has finished, for `troth provision --hardened`."""
    if not all(_holds(target, step, state) for step in steps if step.marks):
        return False
    key = target.folder / HMAC_KEY
    said = {
        "chip": target.chip.id,
        "mac": mac_of(state).hex(),
        "fuses": security_words(
            target.chip.id, {name: _number(fuse) for name, fuse in state.items()}
        ),
        "key": mac_key_id(key.read_bytes()).hex() if target.chip.hmac else None,
    }
    (target.folder / UNIT).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    return True


def _number(fuse: dict[str, Any]) -> int:
    try:
        return int(str(fuse["raw_value"]), 16)
    except ValueError:
        return 0  # text, such as a calibration: no security word


def write_hmac_key(folder: Path, secret: bytes) -> None:
    """The chip's own MAC key, for its owner alone; one that is there stays."""
    path = folder / HMAC_KEY
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secret)
