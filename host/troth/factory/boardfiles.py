"""A maker's own copy of a hardened board definition: everything the build needs in one folder."""

from __future__ import annotations

import errno
import json
import re
import shutil
from pathlib import Path

from ..bundled import bundled
from ..trouble import Trouble

_NAME = re.compile(r"[A-Z][A-Z0-9_]{1,31}")  # a folder's name, a C string and a make target
_PLACES = (("../../common/", "common/"), ("../../agent", "../agent"))


def new_board(name: str, chip: str, folder: Path) -> list[str]:
    """Write the definition; the names of its files. Trouble `board.name` or `board.exists`."""
    if not _NAME.fullmatch(name):
        raise Trouble("board.name", f"{name!r} is no name for a board", fix="use one like ACME_C3")
    if folder.exists() and any(folder.iterdir()):
        raise Trouble("board.exists", f"{folder} holds something", fix="name a new folder")
    try:
        _copy(name, chip, folder)
    except OSError as err:
        shutil.rmtree(folder, ignore_errors=True)
        if not isinstance(err, shutil.Error):
            raise
        raise OSError(errno.EIO, "not all files could be written", str(folder)) from err
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _copy(name: str, chip: str, folder: Path) -> None:
    boards = bundled("boards")
    shutil.copytree(boards / chip / "micropython", folder, dirs_exist_ok=True)
    shutil.copytree(boards / "common", folder / "common")
    agent = bundled("agent") / "troth_agent"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(agent, folder / "agent/troth_agent", ignore=ignore)
    for path in (*folder.glob("*"), *folder.glob("common/*")):
        if path.is_file():
            _settle(path, name)


def _settle(path: Path, name: str) -> None:
    """The board's own name, and places inside its own folder."""
    text = path.read_text(encoding="utf-8")
    for old, new in _PLACES:
        text = text.replace(old, new)
    if path.name == "mpconfigboard.h":
        text = re.sub(r'(MICROPY_HW_BOARD_NAME) ".*"', rf'\1 "{name}"', text)
    if path.name == "board.json":
        text = json.dumps(json.loads(text) | {"product": name, "deploy": []}, indent=4) + "\n"
    path.write_text(text, encoding="utf-8")
