"""Writes troth_agent/p256_points.py: the comb's 256 points, computed anew from P-256's generator.

`--check` changes nothing and ends with 1 when the file differs from what would be written.
"""

import sys
from binascii import b2a_base64
from pathlib import Path

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
TEETH, COLUMNS, TABLES, STEPS = 7, 37, 4, 10
TARGET = Path(__file__).parent / "troth_agent" / "p256_points.py"

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


def comb() -> list[Point]:
    """Four tables of 64 points: 2^222 G with each lower tooth 2^(37 j) G added (bit j of the index
    is 1) or taken away (0); each next table is the one before times 2^10.
    """
    teeth = [G]
    for _ in range(TEETH - 1):
        teeth.append(double(teeth[-1], COLUMNS))
    table = []
    for i in range(1 << (TEETH - 1)):
        point = teeth[-1]
        for j, (x, y) in enumerate(teeth[:-1]):
            point = add(point, (x, y if i >> j & 1 else P - y))
        table.append(point)
    points = list(table)
    for _ in range(TABLES - 1):
        table = [double(point, STEPS) for point in table]
        points += table
    return points


def source() -> str:
    """One point a line, x || y in base64, and all lines of one length: p256_table.py reads it."""
    lines = [
        "# Points of the P-256 comb; written by make_p256_table.py.",
        "# fmt: off",
        "POINTS = (",
    ]
    for point in comb():
        packed = b"".join(v.to_bytes(32, "big") for v in point)
        lines.append(f'b"{b2a_base64(packed, newline=False).decode()}",')
    return "\n".join([*lines, ")", ""])


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(TARGET.read_text() != source())
    TARGET.write_text(source())
