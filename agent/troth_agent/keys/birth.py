# A new P-256 key and the proof that it works: needed once in a board's life, so apart from p256.
import os
from hashlib import sha256

import esp32

from .. import Trouble
from ..curve import N, P, add, affine, double, inverse, times_base

_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


# A key in NVS under this name, as private || x || y, once it has signed and verified.
def bear(namespace, name):
    from .. import p256

    private = new_key()
    public = p256.public_key(private)
    if not self_test(private, public):
        raise Trouble("key.test", "the new key does not verify its own signature")
    nvs = esp32.NVS(namespace)
    nvs.set_blob(name, private + public)
    nvs.commit()


# A private key from the board's generator, unless that is plainly dead.
def new_key():
    while True:
        first, second = os.urandom(32), os.urandom(32)
        if first == second or len(set(first)) < 8 or len(set(second)) < 8:
            raise Trouble("key.random", "the random generator repeats itself")
        if 0 < int.from_bytes(first, "big") < N:
            return first


# True when a signature made with this key verifies under this public key.
def self_test(private, public):
    from ..p256 import sign

    digest = sha256(b"troth self-test" + public).digest()
    return verify(public, digest, sign(private, digest))


# Slow, and only for the board's test of its own key: strangers' signatures are the host's matter.
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


# k * (x, y), for verify only.
def _times(k, x, y):
    point = (0, 0, 0, 0)
    for bit in "{:b}".format(k):
        if point[2]:
            point = double(point)
        if bit == "1":
            point = add(point, x, y) if point[2] else (x, y, 1, 1)
    return point
