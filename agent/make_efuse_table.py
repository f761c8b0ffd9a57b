"""Writes troth_agent/efuse_table.py: where each chip keeps its fuses, from boards/*/board.toml.

`--check` changes nothing and ends with 1 when the file differs from what would be written.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOARDS = HERE.parent / "boards"
TARGET = HERE / "troth_agent" / "efuse_table.py"
ABSENT = bytes(3)
HEAD = """\
# Where the fuses of each chip lie; written by make_efuse_table.py from boards/*/board.toml.
# A row: layout, base, registers of the claim `fuses`, key blocks and their number, the bit of
# WR_DIS that fixes the count of flash encryption, and for each name in NAMES register / 4, lowest
# bit and number of bits; no bits: the chip has no such fuse.
# fmt: off
"""


def chips() -> dict[str, dict[str, Any]]:
    """The eFuse part of every board.toml, by chip."""
    files = sorted(BOARDS.glob("*/board.toml"))
    return {file.parent.name: tomllib.loads(file.read_text())["efuse"] for file in files}


def names(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Every fuse that any chip has, the one that most chips have first."""
    count: dict[str, int] = {}
    for row in rows.values():
        for name in row["fields"]:
            count[name] = count.get(name, 0) + 1
    return sorted(count, key=lambda name: (-count[name], name))


def places(fields: dict[str, list[int]], every: list[str]) -> bytes:
    """Three bytes for each name; what the chip lacks at the end is left out."""
    packed = b"".join(
        bytes((fields[name][0] // 4, *fields[name][1:])) if name in fields else ABSENT
        for name in every
    )
    while packed.endswith(ABSENT):
        packed = packed[:-3]
    return packed


def row(chip: str, efuse: dict[str, Any], every: list[str]) -> str:
    words = _bytes(bytes(at // 4 for at in efuse["words"]))
    key = f"{efuse['keys']:#x}, {efuse['key_blocks']}, {efuse['crypt_fixed']}"
    first = f'    "{chip}": ("{efuse["layout"]}", {efuse["base"]:#x}, {words}, {key},'
    return f"{first}\n        {_bytes(places(efuse['fields'], every))}),"


def _bytes(data: bytes) -> str:
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def source() -> str:
    rows = chips()
    every = names(rows)
    lines = [HEAD + "NAMES = (", *(f'    "{name}",' for name in every), ")", "ROWS = {"]
    lines += [row(chip, efuse, every) for chip, efuse in rows.items()]
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != source())
    TARGET.write_text(source())
