# COSE_Sign1 with ES256 (RFC 9052 section 4.2, RFC 9053 section 2.1) as troth.cddl asks.
from hashlib import sha256

from micropython import const

from . import cbor

_SIGN1 = const(18)
_ALG = const(1)
_KID = const(4)
_TYP = const(16)
_ES256 = const(-7)
_EAT_CWT = const(263)  # Content-Format of application/eat+cwt


# First bytes of the COSE Key Thumbprint (RFC 9679) of x || y.
def key_id(public):
    key = {1: 2, -1: 1, -2: public[:32], -3: public[32:]}
    return sha256(cbor.encode(key)).digest()[:8]


# `sign` takes the SHA-256 digest of the Sig_structure and gives r || s.
def sign1(payload, kid, sign):
    protected = cbor.encode({_ALG: _ES256, _KID: kid, _TYP: _EAT_CWT})
    digest = sha256(cbor.encode(["Signature1", protected, b"", payload])).digest()
    return cbor.Tag(_SIGN1, [protected, {}, payload, sign(digest)])
