# ECDSA on P-256 with SHA-256 digests (FIPS 186-5, RFC 6979). Random blinding hides what the clock
# could tell and defeats faults that need two equal runs.
import os
from hashlib import sha256

from micropython import const

from .p256_table import TABLE

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# of the comb: columns of six digits, of which the second table serves the higher
_COLUMNS = const(43)
_HIGHER = const(21)
_TOOTH = (1 << 43) - 1
_ALL_ONES = (1 << 258) - 1
_ZEROS = 63 * int.from_bytes(b"0" * 43, "big")

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
            x, _, u, _ = times_base(k, mask)
            r = x * inverse(u, P) % P % N
            s = inverse(k * mask % N, N) * (e + r * d) % N * mask % N
            if r and s:
                return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        key = _hmac(key, v + b"\0")
        v = _hmac(key, v)


def _hmac(key, message):
    k = int.from_bytes(key, "big")
    inner = sha256((k ^ _IPAD).to_bytes(32, "big") + b"\x36" * 32)
    inner.update(message)
    outer = sha256((k ^ _OPAD).to_bytes(32, "big") + b"\x5c" * 32)
    outer.update(inner.digest())
    return outer.digest()


# k * G as (x, y, u, w), which stands for (x / u, y / w): a signed fixed-base comb of six teeth. An
# odd k is a sum of 258 digits that are all +1 or -1, the bits of (k + 2^258 - 1) / 2; an even one
# is N less an odd one. A column is one digit of each tooth; its sign is that of the top tooth, so a
# table of 32 points serves, and no column is ever skipped: every scalar takes the same steps, but
# Python integers do not run in constant time, so callers blind. z scales the first point: runs
# never share coordinates. A sum that meets its own point ends as u = 0, which is no signature.
# All of it is one function, for a call costs more than a multiplication saves.
def times_base(k, z):
    even = not k & 1
    columns = _columns(N - k if even else k)
    read = int.from_bytes
    p = P
    x = y = u = w = 0
    for n in range(_COLUMNS):
        at = n >> 1
        if n & 1:  # dbl-2008-s-1 for a = -3
            t = y + y
            v = t * t % p
            t = t * v % p
            s = x * v % p
            m = 3 * (x - u) * (x + u) % p
            x = (m * m - s - s) % p
            y = (m * (s - x) - t * y) % p
            u = u * v % p
            w = w * t % p
            digits = columns[at]
            half = 32
        else:
            digits = columns[_HIGHER + at]
            half = 0
        minus = digits < 32
        at = (31 - digits if minus else digits - 32) + half
        row = TABLE[at >> 3]
        at = (at & 7) * 64
        s = read(row[at : at + 32], "big")
        v = read(row[at + 32 : at + 64], "big")
        if minus:
            v = p - v
        if n:  # madd-2008-s
            s = (s * u - x) % p
            v = (v * w - y) % p
            t = s * s % p
            m = x * t % p
            u = u * t % p
            t = t * s % p
            x = (v * v - t - m - m) % p
            y = (v * (m - x) - y * t) % p
            w = w * t % p
        else:
            u = z * z % p
            w = u * z % p
            x = s * u % p
            y = v * w % p
    return x, p - y if even else y, u, w


# The columns of an odd k, one byte each, the top tooth's digit in front.
def _columns(k):
    k = (k + _ALL_ONES) >> 1
    columns = 0
    for at in (215, 172, 129, 86, 43, 0):
        digits = "{:043b}".format(k >> at & _TOOTH)
        columns = 2 * columns + int.from_bytes(digits.encode(), "big")
    return (columns - _ZEROS).to_bytes(_COLUMNS, "big")


# Extended Euclid; callers mask what must stay secret. Lehmer's way: the steps are found with the
# leading 30 bits alone, which need no memory, and some seventeen are taken at once. A step that
# those bits get wrong costs a sign, which is put right.
def inverse(a, m):
    r, s, t, u = m, a, 0, 1
    n = 226
    while s:
        x = r >> n
        while n and x < 0x20000000:
            x <<= 1
            n -= 1
        x = r >> n
        y = s >> n
        least = 0x8000 if n else 0
        if y > least:
            a = d = 1
            b = c = 0
            while True:
                q = x // y
                x -= q * y
                a -= q * c
                b -= q * d
                if x <= least:
                    break
                q = y // x
                y -= q * x
                c -= q * a
                d -= q * b
                if y <= least:
                    break
            r, s = a * r + b * s, c * r + d * s
            t, u = a * t + b * u, c * t + d * u
            if r < 0:
                r, t = -r, -t
            if s < 0:
                s, u = -s, -u
            if r < s:
                r, s, t, u = s, r, u, t
        else:
            q, x = divmod(r, s)
            r, s = s, x
            t, u = u, t - q * u
    return t % m
