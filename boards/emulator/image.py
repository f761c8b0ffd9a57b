"""ESP application images: header, app descriptor, checksum, appended SHA-256, signature block.

Formats: esp_app_format.h, esp_app_desc.h and secure_boot v2 of ESP-IDF. The image is data: the VM
runs beside it. What a board measures is these bytes.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.chips import Chip

if TYPE_CHECKING:
    from emulator.signing import BootKey

MAGIC = 0xE9
SECTOR = 4096
SIGNED_BYTES = 1196  # of a signature block, its checksum comes next
DESCRIPTOR = 0x20
FROZEN_MARK = b"troth_agent/__init__.py"


@dataclass(frozen=True, slots=True)
class App:
    """What an image says of itself."""

    name: str
    version: str
    secure_version: int = 0
    frozen_agent: bool = False
    contents: bytes = b""  # whatever else the build carries


def build_image(chip: Chip, app: App) -> bytes:
    """An unsigned image, the same bytes for the same build."""
    seed = hashlib.sha256(f"{chip.id} {app.name} {app.version}".encode() + app.contents).digest()
    frozen = FROZEN_MARK + b"\0troth_build.py\0" if app.frozen_agent else b""
    text = f"MicroPython {app.name} {app.version}; {chip.machine}".encode() + b"\0"
    rodata = _descriptor(app, seed) + text + frozen + app.contents
    segments = ((chip.image_rodata, rodata), (chip.image_code, _code(seed)))
    return _with_hash(_header(chip, len(segments)) + _body(segments))


def build_bootloader(chip: Chip) -> bytes:
    """A second-stage bootloader: the same container with another descriptor."""
    description = struct.pack("<BBBBI32s24s16x", 80, 0, 0, 0, 1, b"v5.5.2", b"Nov 23 2026 12:00:00")
    seed = hashlib.sha256(chip.id.encode() + b" bootloader").digest()
    segments = ((chip.image_code, description + _code(seed)[:8192]),)
    return _with_hash(_header(chip, len(segments)) + _body(segments))


def _header(chip: Chip, segments: int) -> bytes:
    flash = {0x200000: 1, 0x400000: 2, 0x800000: 3, 0x1000000: 4}[chip.flash_bytes] << 4
    first = struct.pack("<BBBBI", MAGIC, segments, 2, flash, chip.image_code)
    return first + struct.pack(
        "<B3sHBHH4sB", 0xEE, b"", chip.image_chip_id, 0, chip.min_chip_rev, 0xFFFF, b"", 1
    )


def _descriptor(app: App, seed: bytes) -> bytes:
    return struct.pack(
        "<II8s32s32s16s16s32s32sHHB3s72s",
        0xABCD5432,
        app.secure_version,
        b"",
        app.version.encode()[:31],
        app.name.encode()[:31],
        b"12:00:00",
        b"Nov 23 2026",
        b"v5.5.2",
        hashlib.sha256(b"elf" + seed).digest(),
        0,
        199,
        16,
        b"",
        b"",
    )


def _code(seed: bytes) -> bytes:
    """Bytes that stand for machine code, without a pattern that a secret scan could trip over."""
    return hashlib.shake_128(seed).digest(24 * 1024)


def _body(segments: tuple[tuple[int, bytes], ...]) -> bytes:
    out, checksum = bytearray(), 0xEF
    for address, data in segments:
        data += b"\0" * (-len(data) % 4)
        out += struct.pack("<II", address, len(data)) + data
        for byte in data:
            checksum ^= byte
    # the checksum is the last byte of a row of 16; the header before is 24 bytes
    out += b"\0" * (15 - (len(out) + 24) % 16)
    out.append(checksum)
    return bytes(out)


def _with_hash(plain: bytes) -> bytes:
    return plain + hashlib.sha256(plain).digest()


def hashed_length(image: bytes) -> int:
    """Where the appended hash begins."""
    at = 24
    for _ in range(image[1]):
        at += 8 + struct.unpack_from("<I", image, at + 4)[0]
    return (at + 16) // 16 * 16


def app_name(image: bytes) -> str:
    """The project name in the app descriptor."""
    return image[DESCRIPTOR + 48 : DESCRIPTOR + 80].split(b"\0")[0].decode(errors="replace")


def tamper(image: bytes) -> bytes:
    """One byte of code changed and the appended hash made right again: the loader is content."""
    end = hashed_length(image)
    changed = bytearray(image[:end])
    changed[end - 64] ^= 0x01
    changed[end - 1] ^= 0x01  # the checksum follows
    return _with_hash(bytes(changed))


def sign_image(image: bytes, key: BootKey) -> bytes:
    """Pad to the page and append a Secure Boot v2 block of the key's kind."""
    padded = image + b"\xff" * (-len(image) % SECTOR)
    digest = hashlib.sha256(padded).digest()
    block = struct.pack("<BBxx32s", 0xE7, key.version, digest)
    block = (block + key.public_block() + key.sign(digest)).ljust(SIGNED_BYTES, b"\0")
    block += struct.pack("<I16x", zlib.crc32(block))
    return padded + block + b"\xff" * (SECTOR - len(block))
