# A P-256 key made on the board and kept as a blob in NVS. It is never printed and never leaves;
# in plain NVS whoever reads the flash has it, and the evidence says so (plain_secrets, nvs_enc).
from hashlib import sha256

from micropython import const

import esp32

from .. import Trouble, cose, forget

ORIGIN = "nvs"
_NAMESPACE = "troth"
_BLOB = "key"
_SIZE = const(96)  # private || x || y


class SoftKey:
    alg = cose.ES256

    def __init__(self, blob, blind=True):
        self._private = bytes(blob[:32])
        self._blind = blind
        self.public = bytes(blob[32:])
        self.kid = cose.key_id(self.public)

    # The curve is the largest part of the agent: it is in the heap only while it signs.
    def sign(self, structure):
        from .. import p256

        signature = p256.sign(self._private, sha256(structure).digest(), self._blind)
        forget("p256", "p256_table")
        return signature


# The board's key, or None before enrolment; `name` is where it lies.
def load(_settings=None, name=_BLOB):
    blob = bytearray(_SIZE)
    try:
        size = esp32.NVS(_NAMESPACE).get_blob(name, blob)
    except OSError:
        return None
    if size != _SIZE:
        raise Trouble("key.damaged", "the key in NVS has %d bytes, not %d" % (size, _SIZE))
    return SoftKey(blob)


# Makes the key once; a second call gives the same.
def create(_settings=None):
    key = load()
    if key is not None:
        return key
    from . import birth

    birth.bear(_NAMESPACE, _BLOB)
    key = load()
    if key is None:
        raise Trouble("key.damaged", "NVS did not keep the key")
    return key
