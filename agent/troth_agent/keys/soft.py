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
        forget("p256", "curve", "p256_table")
        return signature


# The board's key, or None before enrolment.
def load(_settings=None):
    blob = bytearray(_SIZE)
    try:
        size = esp32.NVS(_NAMESPACE).get_blob(_BLOB, blob)
    except OSError:
        return None
    if size != _SIZE:
        raise Trouble("key.damaged", "the key in NVS has %d bytes, not %d" % (size, _SIZE))
    return SoftKey(blob)


# Makes the key once; a second call gives the same. Kept only after it has signed and verified.
def create(_settings=None):
    key = load()
    if key is not None:
        return key
    from .. import p256
    from . import birth

    private = birth.new_key()
    public = p256.public_key(private)
    if not birth.self_test(private, public):
        raise Trouble("key.test", "the new key does not verify its own signature")
    nvs = esp32.NVS(_NAMESPACE)
    nvs.set_blob(_BLOB, private + public)
    nvs.commit()
    key = load()
    if key is None or key.public != public:
        raise Trouble("key.damaged", "NVS did not keep the key")
    return key
