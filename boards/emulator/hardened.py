"""A chip that `troth board harden --virtual` burned and signed for, taken as it is."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.chips import Chip
from emulator.efuse import Fuses, read_fuses
from emulator.hardware_key import HMAC_UP, keep
from emulator.image import DESCRIPTOR, build_bootloader
from emulator.trouble import USAGE, Trouble

if TYPE_CHECKING:
    from emulator.folder import Order

_APP, _FUSES, _KEY, _UNIT = "app-signed.bin", "efuse.bin", "hmac-key.bin", "unit.json"
_BOOTLOADER = "bootloader-signed.bin"


def as_burned(order: Order) -> Order:
    """The board that its line made of this chip: its kind, its key, and the files that it wrote."""
    folder = order.hardened
    if folder is None:
        return order
    missing = [name for name in (_APP, _FUSES, _UNIT) if not (folder / name).is_file()]
    if missing:
        what = f"{folder} has no {' and no '.join(missing)}"
        raise Trouble("hardened.missing", what, "troth board harden --virtual DIR", USAGE)
    chip = json.loads((folder / _UNIT).read_text())["chip"]
    signer = "efuse-hmac" if (folder / _KEY).is_file() else order.signer
    files = order.files or (folder / "vfs" if (folder / "vfs").is_dir() else None)
    return replace(order, chip=chip, profile="P2", signer=signer, files=files)


def take_chip(at: Path, chip: Chip, folder: Path) -> None:
    """Fuses, signed image and hidden key; the bootloader's first start counts its version up."""
    fuses = read_fuses(chip, folder / _FUSES)
    image = (folder / _APP).read_bytes()
    fuses.burn("SECURE_VERSION", (1 << struct.unpack_from("<I", image, DESCRIPTOR + 4)[0]) - 1)
    if (folder / _KEY).is_file():
        keep(at / f"efuse-key{_hmac_block(fuses)}.bin", (folder / _KEY).read_bytes())
    (at / _FUSES).write_bytes(fuses.content())
    (at / "app.bin").write_bytes(image)
    if (folder / _BOOTLOADER).is_file():
        shutil.copyfile(folder / _BOOTLOADER, at / "bootloader.bin")
    else:
        (at / "bootloader.bin").write_bytes(build_bootloader(chip))


def _hmac_block(fuses: Fuses) -> int:
    return next(n for n in range(5, -1, -1) if fuses.get(f"KEY_PURPOSE_{n}") == HMAC_UP)
