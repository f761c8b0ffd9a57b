# ECDSA on P-256 with SHA-256 digests (FIPS 186-5, RFC 6979). Random blinding hides what the clock
# could tell and defeats faults that need two equal runs.
import os
from hashlib import sha256

from .curve import N, affine, inverse, times_base

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
