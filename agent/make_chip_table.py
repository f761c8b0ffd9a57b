"""Writes troth_agent/chip_table.py from boards/*/board.toml: what the agent has to know of chips.

`--check` changes nothing and ends with 1 when the file differs from what would be written, or when
efuse.py has other numbers for fuses.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BOARDS = HERE.parent / "boards"
TARGET = HERE / "troth_agent" / "chip_table.py"
DECODER = HERE / "troth_agent" / "efuse.py"
HEAD = """\
# The chips and their fuses; written by make_chip_table.py from boards/*/board.toml.
# A layout: registers of the claim `fuses`, key blocks and their number, the bit of WR_DIS that ends
# counting flash encryption. A chip: its number in images, where its boot loader lies, layout, base
# of its fuses, and for each fuse, by its number, two bytes: register / 4, lowest bit and number of
# bits less one; all zero: the chip has no such fuse.
# fmt: off
"""


def chips() -> dict[str, dict[str, Any]]:
    """Every board.toml, its chip and its eFuse part in one, by chip."""
    files = sorted(BOARDS.glob("*/board.toml"))
    read = {file.parent.name: tomllib.loads(file.read_text()) for file in files}
    return {name: {**said["chip"], **said["efuse"]} for name, said in read.items()}


def names(rows: dict[str, dict[str, Any]], layout: str) -> list[str]:
    """Every fuse that any chip has of those that one function of efuse.py may ask for, the one that
    most chips have first; a fuse's number is its place. The classic chip shares three with others.
    """
    count: dict[str, int] = {}
    for row in rows.values():
        for name in row["fields"]:
            count[name] = count.get(name, 0) + 1
    alike = [row for row in rows.values() if (row["layout"] == "E") == (layout == "E")]
    every = {name for row in alike for name in row["fields"]}
    return sorted(every, key=lambda name: (-count[name], name))


def places(fields: dict[str, list[int]], every: list[str]) -> bytes:
    """Two bytes for each name; what the chip lacks at the end is left out."""
    packed = bytearray()
    for name in every:
        at, low, bits = fields.get(name, (0, 0, 1))
        packed += (at // 4 << 10 | low << 5 | bits - 1).to_bytes(2, "big")
    while not any(packed[-2:]):
        del packed[-2:]
    return bytes(packed)


def _layout(efuse: dict[str, Any]) -> str:
    words = _bytes(bytes(at // 4 for at in efuse["words"]))
    return f"({words}, {efuse['keys']:#x}, {efuse['key_blocks']}, {efuse['crypt_fixed']})"


def _bytes(data: bytes) -> str:
    return 'b"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def source() -> str:
    rows = chips()
    layouts = {efuse["layout"]: _layout(efuse) for efuse in rows.values()}
    lines = [HEAD + "LAYOUTS = {", *(f'    "{name}": {text},' for name, text in layouts.items())]
    lines += ["}", "CHIPS = {"]
    for chip, efuse in rows.items():
        if _layout(efuse) != layouts[efuse["layout"]]:
            raise SystemExit(f"{chip} is not laid out as others of its layout")
        packed = _bytes(places(efuse["fields"], names(rows, efuse["layout"])))
        image = f"{efuse['image_chip_id']}, {efuse['bootloader_offset']:#x}"
        fuses = f'"{efuse["layout"]}", {efuse["base"]:#x}'
        lines += [f'    "{chip}": ({image}, {fuses},', f"        {packed}),"]
    return "\n".join([*lines, "}", ""])


def misnumbered() -> list[str]:
    """What efuse.py calls by another number than the table."""
    rows = chips()
    numbers = {name: n for layout in "AE" for n, name in enumerate(names(rows, layout))}
    said = re.findall(r"^_(\w+) = const\((\d+)\)", DECODER.read_text(), re.MULTILINE)
    return [name for name, n in said if numbers.get(name, int(n)) != int(n)]


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != source() or bool(misnumbered()))
    TARGET.write_text(source())
