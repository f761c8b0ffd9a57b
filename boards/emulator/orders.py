"""Which boards are asked for, by options or by a scenario file; refused before one is made."""

from __future__ import annotations

import argparse
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

from emulator import control
from emulator.chips import PROFILES, load_chip
from emulator.faults import check_profile
from emulator.folder import Order
from emulator.hardware_key import signer_of
from emulator.trouble import USAGE, Trouble

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_TEXTS = ("name", "chip", "profile", "files", "app", "fault", "signer", "hmac_master", "hardened")
_ALL_KEYS: dict[str, type] = {**dict.fromkeys(_TEXTS, str), "serial": int}
_BOARD_FIX = f'a [[board]] has name = "..." and may have {", ".join(list(_ALL_KEYS)[1:])}'


def of_options(asked: argparse.Namespace) -> list[Order]:
    if asked.n < 1:
        raise Trouble("usage.count", "at least one board", "troth emu run -n 1", USAGE)
    taken = {row["name"] for row in control.boards()}
    base = asked.name or asked.chip
    names: list[str] = []
    number = 0
    while len(names) < asked.n:
        number += 1
        name = base if asked.name and asked.n == 1 else f"{base}-{number}"
        if name not in taken or (asked.name and asked.n == 1):
            names.append(name)
    if asked.hardened and asked.n > 1:
        raise Trouble("usage.count", "--hardened is one chip", "leave -n out", USAGE)
    profile = "P2" if asked.hardened else asked.profile
    signer = signer_of(load_chip(asked.chip), profile, asked.signer)
    return [
        Order(
            name,
            asked.chip,
            profile,
            asked.files,
            asked.app,
            asked.fault,
            signer=signer,
            hmac_master=asked.hmac_master,
            hardened=asked.hardened,
        )
        for name in names
    ]


def of_scenario(path: Path) -> list[Order]:
    try:
        said = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        why = err.strerror if isinstance(err, OSError) else str(err)
        fix = "name a TOML file with a [[board]] for each board"
        raise Trouble("scenario.unreadable", f"{path}: {why}", fix, USAGE) from err
    rows = said.get("board")
    if not isinstance(rows, list) or not rows:
        raise Trouble("scenario.empty", f"{path} has no [[board]]", _BOARD_FIX, USAGE)
    return [_order(row, path) for row in rows]


def _order(row: object, path: Path) -> Order:
    said: dict[str, Any] = dict(row) if isinstance(row, dict) else {}
    for key, value in said.items():
        if key not in _ALL_KEYS or type(value) is not _ALL_KEYS[key]:
            what = f"{path}: [[board]] {key} = {value!r}"
            raise Trouble("scenario.key", what, _BOARD_FIX, USAGE)
    if "name" not in said:
        raise Trouble("scenario.key", f"{path}: a [[board]] has no name", _BOARD_FIX, USAGE)
    for key in ("files", "app", "hmac_master", "hardened"):
        if key in said:
            said[key] = path.parent / said[key]
    order = Order(**said)
    if order.hardened:
        order = replace(order, profile="P2")
    if order.profile not in PROFILES:
        return order  # refused with its own words, with all the others
    signer = signer_of(load_chip(order.chip), order.profile, said.get("signer"))
    return replace(order, signer=signer)


def check(orders: list[Order]) -> None:
    """Everything that can be refused before a board is made."""
    taken = {row["name"] for row in control.boards()}
    for order in orders:
        if not NAME.fullmatch(order.name):
            raise Trouble(
                "board.name",
                f"{order.name!r} is no name for a board",
                "use a-z, 0-9, dot and dash, at most 32",
                USAGE,
            )
        if order.name in taken:
            raise Trouble(
                "board.exists",
                f"a board called {order.name} runs already",
                f"troth emu stop {order.name}, or choose another --name",
                USAGE,
            )
        taken.add(order.name)
        load_chip(order.chip)
        if order.profile not in PROFILES:
            raise Trouble("profile.unknown", f"no profile {order.profile}", "P0, P1 or P2", USAGE)
        if order.serial is not None and not 0 <= order.serial < 1 << 24:
            what = f"{order.name}: serial = {order.serial}"
            raise Trouble("scenario.key", what, "a number from 0 to 16777215", USAGE)
        if order.fault:
            check_profile(order.fault, order.profile)
        if order.files and not order.files.is_dir():
            fix = "name the folder with your main.py"
            raise Trouble("files.missing", f"{order.files} is no folder", fix, USAGE)
        if order.app and not order.app.is_file():
            raise Trouble(
                "app.missing", f"{order.app} is no file", "build one: troth emu image", USAGE
            )
