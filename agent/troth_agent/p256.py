# ECDSA on P-256 with SHA-256 digests (FIPS 186-5, RFC 6979): a signed fixed-base comb of six teeth
# over Jacobian coordinates. Every nonce takes the same steps, but Python integers do not run in
# constant time: random blinding hides what the clock could tell and defeats faults that need two
# equal runs.
import os
from hashlib import sha256

from micropython import const

from .p256_table import TABLE

_HALF = const(22)  # of 44 columns: two tables halve the doublings
_ALL_ONES = (1 << 264) - 1
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_IPAD = int.from_bytes(b"\x36" * 32, "big")
_OPAD = int.from_bytes(b"\x5c" * 32, "big")


# r || s. Without blinding this is exactly RFC 6979; with it the nonce also takes fresh random
# bytes (RFC 6979 section 3.6), so a broken generator costs nothing.
def sign(private, digest, blind=True):
    d = int.from_bytes(private, "big")
    e = int.from_bytes(digest, "big")
    noise = os.urandom(64) if blind else b""
    mask = (int.from_bytes(noise[32:], "big") % (N - 1)) + 1 if blind else 1
    seed = private + (e % N).to_bytes(32, "big") + noise[:32]
    key = _hmac(b"\0" * 32, b"\1" * 32 + b"\0" + seed)
    v = _hmac(key, b"\1" * 32)
    key = _hmac(key, v + b"\1" + seed)
    v = _hmac(key, v)
    while True:
        v = _hmac(key, v)
        k = int.from_bytes(v, "big")
        if 0 < k < N:
            r = affine(times_base(k, mask))[0] % N
            s = inverse(k * mask % N, N) * (e + r * d) % N * mask % N
            if r and s:
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = _hmac(key, v + b"\0")
        v = _hmac(key, v)


# x || y
def public_key(private):
    x, y = affine(times_base(int.from_bytes(private, "big"), 1))
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _hmac(key, message):
    k = int.from_bytes(key, "big")
    inner = sha256((k ^ _IPAD).to_bytes(32, "big") + b"\x36" * 32)
    inner.update(message)
    outer = sha256((k ^ _OPAD).to_bytes(32, "big") + b"\x5c" * 32)
    outer.update(inner.digest())
    return outer.digest()


# k * G. An odd k is a sum of 264 digits that are all +1 or -1, the bits of (k + 2^264 - 1) / 2.
# A column is one digit of each tooth; its sign is that of the top tooth, so a table of 32 points
# serves, and no column is ever skipped. z scales the first point: runs never share coordinates.
def times_base(k, z):
    flip = not k & 1
    if flip:
        k = N - k
    bits = "{:0264b}".format((k + _ALL_ONES) >> 1).encode()
    table = memoryview(TABLE)
    point = None
    for c in range(_HALF):
        if point:
            point = double(point)
        for column in (c, c + _HALF):
            i = bits[column + 44] * 16 + bits[column + 88] * 8 + bits[column + 132] * 4
            i += bits[column + 176] * 2 + bits[column + 220] - 48 * 31
            minus = flip
            if bits[column] == 48:
                i = 31 - i
                minus = not flip
            i *= 64
            if column < _HALF:
                i += 2048
            x = int.from_bytes(table[i : i + 32], "big")
            y = int.from_bytes(table[i + 32 : i + 64], "big")
            if minus:
                y = P - y
            if point:
                point = add(point, x, y)
            else:
                zz = z * z % P
                point = (x * zz % P, y * (zz * z % P) % P, z)
    return point


# dbl-2001-b for a = -3
def double(point):
    x, y, z = point
    p = P
    d = z * z % p
    g = y * y % p
    b = 4 * x * g % p
    a = 3 * (x - d) * (x + d) % p
    x = (a * a - b - b) % p
    return x, (a * (b - x) - 8 * g * g) % p, 2 * y * z % p


# Jacobian plus affine.
def add(point, x2, y2):
    x, y, z = point
    p = P
    t = z * z % p
    h = (x2 * t - x) % p
    r = (y2 * (t * z % p) - y) % p
    if not h:
        return (0, 0, 0) if r else double(point)
    t = h * h % p
    v = x * t % p
    t = t * h % p
    x = (r * r - t - v - v) % p
    return x, (r * (v - x) - y * t) % p, z * h % p


def affine(point):
    x, y, z = point
    i = inverse(z, P)
    ii = i * i % P
    return x * ii % P, y * (ii * i % P) % P


# Extended Euclid: four times faster than Fermat here; callers mask what must stay secret.
def inverse(a, m):
    r, s = m, a
    t, u = 0, 1
    while s:
        q = r // s
        r, s = s, r - q * s
        t, u = u, t - q * u
    return t % m
