# The comb of P-256: which points of its table add up to a multiple of the generator, and where they
# lie. Apart from the curve, so that no module is large to compile.
from binascii import a2b_base64

from micropython import const

COLUMNS = const(37)  # times seven teeth: 259 digits
STEPS = const(10)  # four tables share the columns: a fourth of the doublings
_ALL_ONES = (1 << 259) - 1
_TOOTH = (1 << 37) - 1
_ZEROS = int.from_bytes(b"0" * 37, "big")
_HEAD = const(81)  # of the table's file
_LINE = const(93)
_ROWS = const(8)  # at a time


# An odd k is a sum of 259 digits that are all +1 or -1, the bits of (k + 2^259 - 1) / 2. The 37
# columns hold one digit of each tooth, one byte each and the lowest first, the top tooth in front.
def columns(k):
    k = (k + _ALL_ONES) >> 1
    found = 0
    for at in range(222, -1, -37):
        digits = "{:037b}".format(k >> at & _TOOTH)
        found = 2 * found + int.from_bytes(digits.encode(), "big") - _ZEROS
    return found.to_bytes(37, "little")


# The points of these columns, x || y. The sign of a column is that of its top digit, so a table of
# 64 points serves all 128.
def points(of):
    places = []
    for c, i in enumerate(of):
        places.append(64 * (c // STEPS) + (i ^ 64 if i > 63 else i ^ 63))
    if __file__[0] == "/":
        try:
            return _read(__file__[: __file__.rfind("/")] + "/p256_points.py", bytes(places))
        except OSError:
            pass
    from .p256_points import POINTS  # in the image, or compiled

    return [a2b_base64(POINTS[place]) for place in places]


# All of the file goes by in order, whatever is wanted of it, so nothing of that shows in the time;
# only what is wanted takes heap, in small pieces. What lies in the same rows is chained, from 1.
def _read(path, places):
    last = bytearray(256 // _ROWS)
    before = bytearray(COLUMNS)
    for c, place in enumerate(places):
        before[c] = last[place // _ROWS]
        last[place // _ROWS] = c + 1
    found = [b""] * COLUMNS
    rows = bytearray(_ROWS * _LINE)
    with open(path, "rb") as file:
        file.seek(_HEAD)
        for c in last:
            if file.readinto(rows) != len(rows):
                raise OSError
            while c:
                c -= 1
                at = places[c] % _ROWS * _LINE + 2
                found[c] = a2b_base64(bytes(rows[at : at + 88]))
                c = before[c]
    return found
