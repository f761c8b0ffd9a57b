"""The folder that is one board: fuses, flash parts and facts. Made once, as on the line."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.chips import BOARDS, Chip, load_chip
from emulator.efuse import new_fuses, read_fuses
from emulator.hardened import take_chip
from emulator.hardware_key import burn_hmac, solder_atecc608
from emulator.image import App, build_bootloader, build_image, sign_image
from emulator.otadata import first_otadata

if TYPE_CHECKING:
    from emulator.signing import BootKey

HERE = Path(__file__).resolve().parent
SECTOR = 4096
APP, DATA = 0, 1
NVS, PHY, OTADATA, NVS_KEYS, FAT = 0x02, 0x01, 0x00, 0x04, 0x81
FACTORY, OTA_0, OTA_1 = 0x00, 0x10, 0x11

# type, subtype, address, size, label, file, encrypted where the chip encrypts
FACTORY_LAYOUT = (
    (DATA, NVS, 0x9000, 0x6000, "nvs", None, False),
    (DATA, PHY, 0xF000, 0x1000, "phy_init", None, False),
    (APP, FACTORY, 0x10000, 0x1F0000, "factory", "app.bin", True),
    (DATA, FAT, 0x200000, 0x200000, "vfs", "flash.bin", False),
)
# nvs is encrypted by the keys in nvs_keys, not as flash
OTA_LAYOUT = (
    (DATA, NVS, 0x11000, 0x6000, "nvs", None, False),
    (DATA, OTADATA, 0x17000, 0x2000, "otadata", "otadata.bin", True),
    (DATA, PHY, 0x19000, 0x1000, "phy_init", None, False),
    (DATA, NVS_KEYS, 0x1A000, 0x1000, "nvs_keys", None, True),
    (APP, OTA_0, 0x20000, 0x180000, "ota_0", "app.bin", True),
    (APP, OTA_1, 0x1A0000, 0x180000, "ota_1", "ota_1.bin", True),
    (DATA, FAT, 0x320000, 0xE0000, "vfs", "flash.bin", True),
)
LAYOUTS = {"factory": (0x8000, FACTORY_LAYOUT), "ota": (0x10000, OTA_LAYOUT)}


@dataclass(frozen=True, slots=True)
class Order:
    """One board as it is asked for."""

    name: str
    chip: str = "esp32c3"
    profile: str = "P0"
    files: Path | None = None
    app: Path | None = None
    fault: str | None = None
    serial: int | None = None
    signer: str = "soft"
    hmac_master: Path | None = None
    hardened: Path | None = None


def mac_of(order: Order) -> bytes:
    """The address in a burned chip; else an Espressif-like one from its serial or its name."""
    if order.hardened:
        return read_fuses(load_chip(order.chip), order.hardened / "efuse.bin").mac()
    oui = load_chip(order.chip).oui
    if order.serial is not None:
        return oui + order.serial.to_bytes(3, "big")
    return oui + hashlib.sha256(order.name.encode()).digest()[:3]


def make_folder(at: Path, order: Order, spare_fuses: tuple[str, ...] = ()) -> None:
    """Everything a board has before it is switched on for the first time."""
    chip = load_chip(order.chip)
    hardened = order.profile == "P2"
    at.mkdir(parents=True, exist_ok=True)
    mac = mac_of(order)
    if order.hardened:
        take_chip(at, chip, order.hardened)
    else:
        key = _boot_key(chip) if hardened else None
        fuses = new_fuses(chip, mac, order.profile, key.digest() if key else None, spare_fuses)
        if order.signer == "efuse-hmac":
            burn_hmac(at, fuses, mac, order.hmac_master)
        (at / "efuse.bin").write_bytes(fuses.content())
        image = order.app.read_bytes() if order.app else stock_image(chip, order.profile)
        (at / "app.bin").write_bytes(image)
        bootloader = build_bootloader(chip)
        (at / "bootloader.bin").write_bytes(sign_image(bootloader, key) if key else bootloader)
    if order.signer == "atecc608":
        solder_atecc608(at)
    table_at, layout = LAYOUTS[chip.layout[order.profile]]
    (at / "partition-table.bin").write_bytes(_table(layout))
    if hardened:
        (at / "otadata.bin").write_bytes(first_otadata())
    (at / "nvs.json").write_text("{}")
    facts = _facts(chip, order, mac, table_at, layout)
    (at / "board.json").write_text(json.dumps(facts))
    _freeze(at, order)


def flash_image(at: Path, order: Order) -> None:
    """Another image for a board that is kept, as a programmer writes it: it starts next."""
    kept = at / "app.bin"
    if order.app is None or order.app.read_bytes() == kept.read_bytes():
        return
    kept.write_bytes(order.app.read_bytes())
    if (at / "otadata.bin").is_file():
        (at / "otadata.bin").write_bytes(first_otadata())


def stock_image(chip: Chip, profile: str) -> bytes:
    """The image a board carries when none is given."""
    return release_image(chip, profile, "micropython", "v1.25.0")


def release_image(
    chip: Chip,
    profile: str,
    name: str,
    version: str,
    secure_version: int | None = None,
    key: Path | None = None,
    *,
    signed: bool = True,
) -> bytes:
    """One build: a hardened one has the agent frozen in and is signed, here or by its maker."""
    hardened = profile == "P2"
    if secure_version is None:
        secure_version = 1 if hardened else 0
    image = build_image(chip, App(name, version, secure_version, hardened))
    return sign_image(image, _boot_key(chip, key)) if hardened and signed else image


def _boot_key(chip: Chip, path: Path | None = None) -> BootKey:
    from emulator.signing import boot_key  # loading the crypto library takes longer than a boot

    return boot_key(path, chip.boot_schemes)


def _facts(
    chip: Chip, order: Order, mac: bytes, table_at: int, layout: tuple[Any, ...]
) -> dict[str, Any]:
    """What the ROM inside the VM reads of its board."""
    encrypts = order.profile == "P2"
    rows = [
        dict(
            zip(
                ("type", "subtype", "addr", "size", "label", "file", "encrypted"),
                (*row[:6], row[6] and encrypts),
                strict=True,
            )
        )
        for row in layout
    ]
    boot = chip.bootloader_offset
    return {
        "name": order.name,
        "chip": chip.id,
        "profile": order.profile,
        "mac": mac.hex(),
        "machine": chip.machine,
        "build": chip.build,
        "efuse_base": chip.efuse_base,
        "cpu_hz": chip.cpu_hz,
        "pins": chip.pins,
        "wifi": chip.wifi,
        "heap_bytes": chip.heap_bytes,
        "flash_size": chip.flash_bytes,
        "flash_encrypted": encrypts,
        "vfs_size": rows[-1]["size"],
        "partitions": rows,
        "running": "ota_0" if encrypts else "factory",
        "prompt": order.hardened is None,
        "raw": [
            {"addr": boot, "size": table_at - boot, "file": "bootloader.bin"},
            {"addr": table_at, "size": SECTOR, "file": "partition-table.bin"},
        ],
        "patches": [],
        "fault": None,
    }


def _table(layout: tuple[Any, ...]) -> bytes:
    """A partition table as gen_esp32part.py writes it, closed by its MD5."""
    out = b""
    for kind, subtype, address, size, label, _, encrypted in layout:
        out += b"\xaa\x50" + bytes((kind, subtype))
        out += address.to_bytes(4, "little") + size.to_bytes(4, "little")
        out += label.encode().ljust(16, b"\0") + int(encrypted).to_bytes(4, "little")
    digest = hashlib.md5(out, usedforsecurity=False).digest()
    out += b"\xeb\xeb" + b"\xff" * 14 + digest
    return out.ljust(0xC00, b"\xff")


def _freeze(at: Path, order: Order) -> None:
    """The frozen modules of this build, as links: the fakes, and on P2 the agent."""
    frozen = at / "frozen"
    shutil.rmtree(frozen, ignore_errors=True)
    frozen.mkdir()
    for module in sorted((HERE / "rom" / "lib").glob("*.py")):
        (frozen / module.name).symlink_to(module)
    if order.profile == "P2":
        build = 'PROFILE = "P2"\n' + ("PROMPT = False\n" if order.hardened else "")
        (frozen / "troth_build.py").write_text(build)
        (frozen / "troth_agent").symlink_to(BOARDS.parent / "agent" / "troth_agent")
