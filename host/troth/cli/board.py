"""`troth board`: the chips, a maker's own hardened build, and the burning of one chip."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..factory.hardening import HMAC_KEY, board_document, chip_ids, images, load_chip, plan
from ..trouble import Trouble
from . import hmac_key
from .output import json_option, print_json, wants_json

if TYPE_CHECKING:
    from ..factory.harden import Done, State, Target
    from ..factory.hardening import Chip, Image, Step

_CHIP = click.Choice(chip_ids())
_DIR = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_WORD = "BURN"


@click.group("board")
@json_option
def command() -> None:
    """Chips and their hardened builds."""


command.add_command(hmac_key.command)


@command.command("list")
@json_option
def list_() -> None:
    """Every chip that has a board definition."""
    rows = [_row(chip) for chip in chip_ids()]
    if wants_json():
        print_json({"schema": "troth/boards/1", "boards": rows})
        return
    from .tables import print_table

    head = ("chip", "flash", "secure boot", "digests", "hmac key", "bootloader")
    keys = ("chip", "flash", "secure_boot", "digests", "hmac", "bootloader_offset")
    print_table(head, [[_cell(row[key]) for key in keys] for row in rows])


def _row(chip: str) -> dict[str, Any]:
    said = board_document(chip)
    boot = said["secure_boot"]
    return {
        "chip": chip,
        "flash": f"{said['chip']['flash_bytes'] >> 20} MB",
        "secure_boot": boot["schemes"],
        "digests": boot["digests"],
        "hmac": said["peripherals"]["hmac"],
        "bootloader_offset": hex(said["chip"]["bootloader_offset"]),
    }


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else value


@command.command("show")
@click.argument("chip", type=_CHIP)
@json_option
def show(chip: str) -> None:
    """What a chip has, its caveats, and what a hardened one burns."""
    said, row = board_document(chip), _row(chip)
    caveats = said.get("caveats", [])
    burn = said["profiles"]["P2"]["burn"]
    if wants_json():
        print_json({"schema": "troth/board/1", **row, "burn": burn, "caveats": caveats})
        return
    for name, value in row.items():
        print(f"{name.replace('_', ' '):18}{_cell(value)}")
    print(f"{'definition':18}boards/{chip}/micropython")
    print(f"{'burned':18}{' '.join(burn)}")
    for caveat in caveats:
        print(f"{'caveat':18}{caveat['text']} ({caveat['source']})")


@command.command("new")
@click.argument("name")
@click.option("--chip", type=_CHIP, required=True)
@click.option("-o", "folder", type=_DIR, required=True, help="a new folder")
@json_option
def new(name: str, chip: str, folder: Path) -> None:
    """Write a hardened board definition NAME of your own, to build MicroPython with."""
    from ..factory.boardfiles import new_board

    files = new_board(name, chip, folder)
    build = f"make -C ports/esp32 BOARD={name} BOARD_DIR={shlex.quote(str(folder.resolve()))}"
    if wants_json():
        document = {"schema": "troth/newboard/1", "name": name, "chip": chip, "files": files}
        print_json({**document, "build": build})
        return
    print(f"made    {len(files)} files in {folder}")
    print(f"build   {build}")


@command.command("harden")
@click.option("--chip", type=_CHIP, required=True)
@click.option("--dry-run", is_flag=True, help="print the commands alone")
@click.option("--virtual", type=_DIR, metavar="DIR", help="run them on a virtual chip in DIR")
@click.option("--port", metavar="PORT", help="run them on the chip at PORT: this cannot be undone")
@click.option("--keys", type=_DIR, metavar="DIR", help="with --port: this one chip's keys")
@click.option("--app", type=_FILE, help="unsigned application image")
@click.option("--bootloader", type=_FILE, help="unsigned bootloader image")
@click.option("--table", type=_FILE, help="partition table")
@click.option("--boot-key", type=_FILE, help="the product's signing key, if there is one already")
@click.option("--step", "only", default="", metavar="STEP", help="this step alone")
@json_option
def harden(
    chip: str,
    dry_run: bool,
    virtual: Path | None,
    port: str | None,
    keys: Path | None,
    app: Path | None,
    bootloader: Path | None,
    table: Path | None,
    boot_key: Path | None,
    only: str,
) -> None:
    """Keys, signatures, fuses and flash of one chip, in the one order that holds."""
    if dry_run + (virtual is not None) + (port is not None) != 1:
        raise click.UsageError("say one of --dry-run, --virtual DIR and --port PORT")
    said = load_chip(chip)
    given = {"bootloader": bootloader, "partition-table": table, "app": app}
    if dry_run:
        _print_plan(said)
    elif virtual:
        _walk(said, virtual, "", given, boot_key, only)
    elif port and keys and all(given.values()):
        _walk(said, keys, port, given, boot_key, only)
    else:
        raise click.UsageError("a real chip needs --keys, --app, --bootloader and --table")


def _print_plan(chip: Chip) -> None:
    from ..factory.harden import Target

    target = Target(chip, Path(), "PORT")
    steps = plan(chip, images(chip))
    if wants_json():
        print_json(_document(chip, "planned", [_planned(target, step) for step in steps], {}))
        return
    for step in steps:
        print(f"# {step.name}: {step.why}")
        print(shlex.join(target.command(step)))


def _planned(target: Target, step: Step) -> dict[str, str]:
    return {"step": step.name, "command": shlex.join(target.command(step)), "how": "planned"}


def _walk(
    chip: Chip,
    folder: Path,
    port: str,
    given: dict[str, Path | None],
    boot_key: Path | None,
    only: str,
) -> None:
    from ..factory import harden as work

    work.need_tools()
    target = work.Target(chip, folder, port)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    flash = _files(target, given, boot_key)
    steps, state = plan(chip, flash), work.read_state(target)
    work.settle_folder(target, steps, state)
    derived = _derive(target, state)
    ask = _ask if port else _no_question
    done, state = work.harden(target, steps, state, ask, only)
    if work.write_unit(target, steps, state) and port and derived:
        (folder / HMAC_KEY).unlink()  # the home derives it again whenever it is needed
    _tell(chip, done, state)


def _files(
    target: Target, given: dict[str, Path | None], boot_key: Path | None
) -> tuple[Image, ...]:
    """The images that were given, in the chip's folder; a virtual chip gets one to try."""
    from ..factory.harden import make_image
    from ..factory.hardening import BOOT_KEY

    if boot_key:
        shutil.copyfile(boot_key, target.folder / BOOT_KEY)
        (target.folder / BOOT_KEY).chmod(0o600)
    for image in images(target.chip):
        source = given[image.name]
        if source:
            shutil.copyfile(source, target.folder / image.plain)
    if not (target.folder / "app.bin").is_file():
        make_image(target)
    return tuple(one for one in images(target.chip) if (target.folder / one.plain).is_file())


def _derive(target: Target, state: State) -> bool:
    """In a home the HMAC key is the one under which the verifier will know this chip."""
    from ..factory.harden import mac_of, write_hmac_key
    from ..factory.keys import open_ring
    from ..settings import MASTER, find_home

    root = click.get_current_context().find_root().obj or {}
    master = find_home(root.get("home")) / MASTER
    if not target.chip.hmac or not master.is_file():
        return False
    write_hmac_key(target.folder, open_ring(master).secret(mac_of(state)))
    return True


def _no_question() -> None:
    """A virtual chip costs nothing."""


def _ask() -> None:
    """What cannot be undone needs the word, typed; there is no option that says it."""
    text = f"What follows cannot be undone. Type {_WORD} to burn this chip: "
    print(text, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != _WORD:
        raise Trouble(
            "harden.word", "nothing was burned", fix=f"type {_WORD}, in capitals, when it asks"
        )


def _tell(chip: Chip, done: list[Done], state: State) -> None:
    burned = {mark.field for one in done for mark in one.step.marks}
    fuses = {field: str(state[field]["value"]) for field in sorted(burned)}
    if wants_json():
        steps = [{"step": o.step.name, "command": o.command, "how": o.how} for o in done]
        print_json(_document(chip, "done", steps, fuses))
        return
    for one in done:
        print(f"{one.step.name:20}{one.how}")
    for field, value in fuses.items():
        print(f"{field:34}{value}")


def _document(chip: Chip, how: str, steps: list[dict[str, str]], fuses: dict[str, str]) -> Any:
    return {"schema": "troth/harden/1", "chip": chip.id, "is": how, "steps": steps, "fuses": fuses}
