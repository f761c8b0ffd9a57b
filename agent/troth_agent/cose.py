# COSE_Sign1 with ES256 and COSE_Mac0 with HMAC 256/256 (RFC 9052 sections 4.2 and 6.2, RFC 9053
# sections 2.1 and 3.1) as troth.cddl asks; which of the two, the key's algorithm says.
from hashlib import sha256

from micropython import const

from . import cbor

ES256 = -7
HMAC_256 = 5

_MAC0 = const(17)
_SIGN1 = const(18)
_ALG = const(1)
_KID = const(4)
_TYP = const(16)
_EAT_CWT = const(263)  # Content-Format of application/eat+cwt


# First bytes of the COSE Key Thumbprint (RFC 9679) of x || y.
def key_id(public):
    key = {1: 2, -1: 1, -2: public[:32], -3: public[32:]}
    return sha256(cbor.encode(key)).digest()[:8]


# The key signs the whole Sig_structure, or MACs the whole MAC_structure; `kind` is what it is, so
# that no message passes for one of another kind.
def seal(payload, key, kind=_EAT_CWT):
    tag, context = (_MAC0, "MAC0") if key.alg == HMAC_256 else (_SIGN1, "Signature1")
    protected = cbor.encode({_ALG: key.alg, _KID: key.kid, _TYP: kind})
    structure = cbor.encode([context, protected, b"", payload])
    return cbor.Tag(tag, [protected, {}, payload, key.sign(structure)])
