# Encode and sign: one attestation in the two forms of troth.cddl. All that it says is handed in, so
# the same values give the same bytes on a board, in the emulator and under CPython.
from hashlib import sha256

from micropython import const

from . import cbor, cose

_CWT = const(61)
_BUNDLE = const(602)

_NONCE = const(10)
_PROFILE = const(265)
_SUBMODS = const(266)
_SHA_256 = const(-16)

_OUR_PROFILE = b"\x69\x81\xbd\xd0\xfe\xc4\xf4\xc4\xea\xa9\x83\xab\xbc\xa1\x8e\xf8\xee\xc7\xc9\x5d"


# One challenge answered: the same signed token serves both forms.
class Evidence:
    def __init__(self, claims_set, session, key, nonce):
        self.claims_set = claims_set
        self.digest = sha256(claims_set).digest()
        payload = token(nonce, self.digest, session)
        self._token = cose.seal(payload, key)

    # for a verifier that knows the claims-set: application/eat+cwt
    def bare(self):
        return cbor.encode(self._token)

    # with the claims-set: application/eat-bun+cbor
    def bundle(self):
        cwt = cbor.encode(cbor.Tag(_CWT, self._token))
        return cbor.encode(cbor.Tag(_BUNDLE, [cwt, {"cfg": self.claims_set}]))


# The token's payload; `session` has the rest of its claims, by their labels.
def token(nonce, digest, session):
    said = {_NONCE: nonce, _PROFILE: _OUR_PROFILE, _SUBMODS: {"cfg": [_SHA_256, digest]}}
    said.update(session)
    return cbor.encode(said)
