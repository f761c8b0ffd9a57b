# A new P-256 key and the proof that it works: needed once in a board's life, so apart from p256.
import os
from hashlib import sha256

import esp32

from .. import Trouble
from ..p256 import N
from ..p256_public import public_key, verify


# A key in NVS under this name, as private || x || y, once it has signed and verified.
def bear(namespace, name):
    private = new_key()
    public = public_key(private)
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
