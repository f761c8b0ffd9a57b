"""`troth emu`: boards without hardware. The emulator is a program of its own; this calls it."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from ..bundled import bundled
from .output import wants_json


@click.command(
    "emu",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(args: tuple[str, ...]) -> int:
    """Boards without hardware, faults on demand: run, list, fault, stop, faults, image, vm."""
    words = list(args)
    if wants_json() and "--json" not in words:
        words.append("--json")
    if words[:1] == ["run"] and any(word.split("=")[0] == "--expect" for word in words):
        from .expect import command as expect

        result: int = expect.main(words[1:], "troth emu run", standalone_mode=False)
        return result
    return _become([sys.executable, str(bundled("boards") / "emulator"), *words])


def _become(argv: list[str]) -> NoReturn:
    """Ctrl-C and the exit code are the emulator's own business."""
    sys.stdout.flush()
    os.execv(argv[0], argv)
