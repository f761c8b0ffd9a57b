"""What the boot ROM checks before it starts an image: container, chip, and who signed it."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

from emulator.chips import Chip
from emulator.efuse import read_fuses
from emulator.image import DESCRIPTOR, MAGIC, SECTOR, hashed_length
from emulator.otadata import choose

SLOTS = {"ota_0": "app.bin", "ota_1": "ota_1.bin"}  # and their files in a board's folder


def start(chip: Chip, profile: str, folder: Path) -> tuple[str, str]:
    """The slot that starts, or why none does: the chosen one, else the other."""
    if not (folder / "otadata.bin").is_file():
        return "factory", refusal(chip, profile, folder)
    labels = list(SLOTS)
    chosen = choose(folder / "otadata.bin")
    said = refusal(chip, profile, folder, SLOTS[labels[chosen]])
    if said and not refusal(chip, profile, folder, SLOTS[labels[1 - chosen]]):
        return labels[1 - chosen], ""
    return labels[chosen], said


def refusal(chip: Chip, profile: str, folder: Path, name: str = "app.bin") -> str:
    """Why this board does not start this image; empty when it does."""
    if not (folder / name).is_file():
        return "no image in this slot"
    image = (folder / name).read_bytes()
    try:
        said = _container(chip, image)
    except (struct.error, IndexError):
        said = "image is cut short"
    if said or profile != "P2":
        return said
    from emulator.signing import verify_block

    fuses = read_fuses(chip, folder / "efuse.bin")
    words = [fuses.word(chip.boot_digest + 4 * i) for i in range(chip.digest_bytes // 4)]
    digest = b"".join(word.to_bytes(4, "little") for word in words)
    end = hashed_length(image) + 32
    said = verify_block(image, end + -end % SECTOR, digest)
    if said:
        return f"secure boot verification failed: {said}"
    least = fuses.get("SECURE_VERSION").bit_count()
    version = struct.unpack_from("<I", image, DESCRIPTOR + 4)[0]
    return f"secure version {version}, the fuses ask for {least}" if version < least else ""


def _container(chip: Chip, image: bytes) -> str:
    if image[0] != MAGIC:
        return f"invalid image magic 0x{image[0]:02x}"
    chip_id = struct.unpack_from("<H", image, 12)[0]
    if chip_id != chip.image_chip_id:
        return f"image is for chip id {chip_id}, this chip is {chip.image_chip_id}"
    end = hashed_length(image)
    if image[end : end + 32] != hashlib.sha256(image[:end]).digest():
        return "image hash failed"
    return ""
