# What goes with public keys on P-256: to derive one, and ECDSA verification (FIPS 186-5), for a
# board's test of its own key and for its verifier's receipts. Seldom needed, so apart from p256.
from .p256 import N, P, inverse, times_base

_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


# x || y
def public_key(private):
    x, y = affine(times_base(int.from_bytes(private, "big"), 1))
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


# `public` is x || y and `signature` r || s.
def verify(public, digest, signature):
    x = int.from_bytes(public[:32], "big")
    y = int.from_bytes(public[32:], "big")
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if (y * y - x * x * x + 3 * x - _B) % P or not (0 < r < N and 0 < s < N):
        return False
    w = inverse(s, N)
    point = _times(r * w % N, x, y)
    base = times_base(int.from_bytes(digest, "big") * w % N, 1)
    if base[2]:
        point = add(point, *affine(base))
    return bool(point[2]) and affine(point)[0] % N == r


# k * (x, y)
def _times(k, x, y):
    point = (0, 0, 0, 0)
    for bit in "{:b}".format(k):
        if point[2]:
            point = double(point)
        if bit == "1":
            point = add(point, x, y) if point[2] else (x, y, 1, 1)
    return point


def affine(point):
    x, y, u, w = point
    i = inverse(w, P)
    u = u * i % P
    return x * (u * u % P) % P, y * i % P


# Points are (x, y, zz, zzz), standing for (x / zz, y / zzz); zz = 0 is the neutral one.
# dbl-2008-s-1 for a = -3
def double(point):
    x, y, u, w = point
    t = y + y
    v = t * t % P
    t = t * v % P
    s = x * v % P
    m = 3 * (x - u) * (x + u) % P
    x = (m * m - s - s) % P
    return x, (m * (s - x) - t * y) % P, u * v % P, w * t % P


# madd-2008-s: plus an affine point
def add(point, x2, y2):
    x, y, u, w = point
    h = (x2 * u - x) % P
    r = (y2 * w - y) % P
    if not h:
        if not u:
            return (x2, y2, 1, 1)
        return (0, 0, 0, 0) if r else double(point)
    t = h * h % P
    s = x * t % P
    u = u * t % P
    t = t * h % P
    x = (r * r - t - s - s) % P
    return x, (r * (s - x) - y * t) % P, u, w * t % P
