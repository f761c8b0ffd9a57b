"""Writes troth_agent/p256_table.py: the comb's 64 points, computed anew from P-256's generator.

`--check` changes nothing and ends with 1 when the file differs from what would be written.
"""

import sys
from pathlib import Path

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
TEETH, COLUMNS = 6, 43
ROW_BYTES = 512  # 8 points: a board need not find 4 KB of heap in one piece
TARGET = Path(__file__).parent / "troth_agent" / "p256_table.py"

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Affine addition; a and b are never opposite here."""
    if a == b:
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def double(a: Point, times: int) -> Point:
    for _ in range(times):
        a = add(a, a)
    return a


def comb() -> bytes:
    """Two tables of 32 points x || y: 2^215 G with each lower tooth 2^(43 j) G added (bit j of the
    index is 1) or taken away (0); the second is the first times 2^22.
    """
    teeth = [G]
    for _ in range(TEETH - 1):
        teeth.append(double(teeth[-1], COLUMNS))
    first = []
    for i in range(1 << (TEETH - 1)):
        point = teeth[-1]
        for j, (x, y) in enumerate(teeth[:-1]):
            point = add(point, (x, y if i >> j & 1 else P - y))
        first.append(point)
    second = [double(point, (COLUMNS + 1) // 2) for point in first]
    return b"".join(v.to_bytes(32, "big") for point in first + second for v in point)


def source() -> str:
    table = comb()
    lines = [
        "# Points of the P-256 comb; written by make_p256_table.py.",
        "# fmt: off",
        "TABLE = (",
    ]
    for row in range(0, len(table), ROW_BYTES):
        parts = [table[at : at + 32] for at in range(row, row + ROW_BYTES, 32)]
        escaped = ["".join(f"\\x{byte:02x}" for byte in part) for part in parts]
        lines += [f'    b"{text}"' for text in escaped]
        lines[-1] += ","
    return "\n".join([*lines, ")", ""])


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != source())
    TARGET.write_text(source())
