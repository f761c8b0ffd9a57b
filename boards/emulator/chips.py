"""What a board is: boards/<chip>/board.toml, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from emulator.trouble import USAGE, Trouble

BOARDS = Path(__file__).resolve().parents[1]
PROFILES = ("P0", "P1", "P2")


@dataclass(frozen=True, slots=True)
class Field:
    """One eFuse field: register offset from the base, lowest bit, number of bits."""

    offset: int
    bit: int
    width: int


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip and what its two profiles burn and lay out."""

    id: str
    name: str
    image_chip_id: int
    image_rodata: int
    image_code: int
    bootloader_offset: int
    min_chip_rev: int
    heap_bytes: int
    cpu_hz: int
    pins: int
    flash_bytes: int
    wifi: bool
    oui: bytes
    machine: str
    build: str
    efuse_base: int
    efuse_bytes: int
    mac_offset: int
    mac_crc: bool
    flash_key: int
    boot_digest: int
    digest_bytes: int
    boot_schemes: tuple[str, ...]
    fields: dict[str, Field]
    burn: dict[str, dict[str, int]]
    layout: dict[str, str]


def chip_ids() -> list[str]:
    """Every chip this house knows."""
    return sorted(path.parent.name for path in BOARDS.glob("*/board.toml"))


@cache
def load_chip(chip: str) -> Chip:
    """The chip of that name."""
    if chip not in chip_ids():
        known = ", ".join(chip_ids())
        raise Trouble("chip.unknown", f"no chip is called {chip}", f"choose one of {known}", USAGE)
    with (BOARDS / chip / "board.toml").open("rb") as file:
        return _chip(tomllib.load(file))


def _chip(said: dict[str, Any]) -> Chip:
    chip, efuse, profiles = said["chip"], said["efuse"], said["profiles"]
    return Chip(
        **{key: value for key, value in chip.items() if key != "oui"},
        oui=bytes.fromhex(chip["oui"]),
        efuse_base=efuse["base"],
        efuse_bytes=efuse["file_bytes"],
        mac_offset=efuse["mac"],
        mac_crc=efuse["layout"] == "E",
        flash_key=efuse["flash_key"],
        boot_digest=efuse["boot_digest"],
        digest_bytes=said["secure_boot"]["digest_bytes"],
        boot_schemes=tuple(said["secure_boot"]["schemes"]),
        fields={name: Field(*place) for name, place in efuse["fields"].items()},
        burn={profile: profiles[profile]["burn"] for profile in PROFILES},
        layout={profile: profiles[profile]["layout"] for profile in PROFILES},
    )
