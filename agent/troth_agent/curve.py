# The group of P-256: a signed fixed-base comb of six teeth over extended Jacobian coordinates.
# Every scalar takes the same steps, but Python integers do not run in constant time: callers blind.
from micropython import const

from .p256_table import TABLE

_HALF = const(22)  # of 44 columns: two tables halve the doublings
_ALL_ONES = (1 << 264) - 1
_TOOTH = (1 << 44) - 1
_ZEROS = int.from_bytes(b"0" * 44, "big")
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# k * G. An odd k is a sum of 264 digits that are all +1 or -1, the bits of (k + 2^264 - 1) / 2.
# A column is one digit of each tooth; its sign is that of the top tooth, so a table of 32 points
# serves, and no column is ever skipped. z scales the first point: runs never share coordinates.
def times_base(k, z):
    flip = not k & 1
    columns = _columns(N - k if flip else k)
    read = int.from_bytes
    point = None
    for c in range(_HALF):
        if point:
            point = double(point)
        for i, half in ((columns[c], 32), (columns[c + _HALF], 0)):
            minus = flip == (i > 31)
            i = (i ^ 32 if i > 31 else i ^ 31) + half
            row = TABLE[i >> 2]
            i = (i & 3) * 64
            x = read(row[i : i + 32], "big")
            y = read(row[i + 32 : i + 64], "big")
            if minus:
                y = P - y
            if point:
                point = add(point, x, y)
            else:
                zz = z * z % P
                zzz = zz * z % P
                point = (x * zz % P, y * zzz % P, zz, zzz)
    return point


# The 44 columns of an odd k, one byte each, the top tooth's digit in front.
def _columns(k):
    k = (k + _ALL_ONES) >> 1
    columns = 0
    for at in (220, 176, 132, 88, 44, 0):
        digits = "{:044b}".format(k >> at & _TOOTH)
        columns = 2 * columns + int.from_bytes(digits.encode(), "big") - _ZEROS
    return columns.to_bytes(44, "big")


# Points are (x, y, zz, zzz), standing for (x / zz, y / zzz); zz = 0 is the neutral one.
# dbl-2008-s-1 for a = -3
def double(point):
    x, y, u, w = point
    p = P
    t = y + y
    v = t * t % p
    t = t * v % p
    s = x * v % p
    m = 3 * (x - u) * (x + u) % p
    x = (m * m - s - s) % p
    return x, (m * (s - x) - t * y) % p, u * v % p, w * t % p


# madd-2008-s: plus an affine point
def add(point, x2, y2):
    x, y, u, w = point
    p = P
    h = (x2 * u - x) % p
    r = (y2 * w - y) % p
    if not h:
        if not u:
            return (x2, y2, 1, 1)
        return (0, 0, 0, 0) if r else double(point)
    t = h * h % p
    s = x * t % p
    u = u * t % p
    t = t * h % p
    x = (r * r - t - s - s) % p
    return x, (r * (s - x) - y * t) % p, u, w * t % p


def affine(point):
    x, y, u, w = point
    i = inverse(w, P)
    u = u * i % P
    return x * (u * u % P) % P, y * i % P


# Extended Euclid: four times faster than Fermat here; callers mask what must stay secret.
def inverse(a, m):
    r, s = m, a
    t, u = 0, 1
    while s:
        q, rest = divmod(r, s)
        r, s = s, rest
        t, u = u, t - q * u
    return t % m
