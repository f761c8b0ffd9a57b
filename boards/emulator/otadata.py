"""Which update slot starts: otadata as ESP-IDF's bootloader keeps it (esp_flash_partitions.h)."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SECTOR = 4096
SLOTS = 2
NEW, PENDING, VALID, INVALID, ABORTED = range(5)


def entry(sequence: int, state: int) -> bytes:
    """One record, of whose fields the CRC covers the first alone."""
    first = struct.pack("<I", sequence)
    crc = zlib.crc32(first, 0xFFFFFFFF)
    return first + b"\xff" * 20 + struct.pack("<II", state, crc)


def first_otadata() -> bytes:
    """Slot 0 chosen and confirmed, the second record blank."""
    return entry(1, VALID).ljust(SECTOR, b"\xff") + b"\xff" * SECTOR


def choose(path: Path) -> int:
    """The slot to start. A new image gets one start to prove itself; one that did not is out."""
    data = bytearray(path.read_bytes())
    states = {}  # sequence -> place of its state
    for at in range(0, SLOTS * SECTOR, SECTOR):
        sequence, state, crc = struct.unpack_from("<I20xII", data, at)
        if state == PENDING:
            state = ABORTED
            struct.pack_into("<I", data, at + 24, state)
        if zlib.crc32(data[at : at + 4], 0xFFFFFFFF) == crc and state not in (INVALID, ABORTED):
            states[sequence] = at + 24
    if not states:
        return 0
    newest = max(states)
    if struct.unpack_from("<I", data, states[newest])[0] == NEW:
        struct.pack_into("<I", data, states[newest], PENDING)
    path.write_bytes(data)
    return (newest - 1) % SLOTS
