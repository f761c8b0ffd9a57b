# Encode and sign: one attestation in the two forms of troth.cddl. Facts, session and key are handed
# in, so the same values give the same bytes on a board, in the emulator and under CPython.
from hashlib import sha256

from micropython import const

from . import cbor, claims, cose

_CWT = const(61)
_BUNDLE = const(602)


# One challenge answered: the same signed token serves both forms.
class Evidence:
    def __init__(self, facts, session, key, nonce):
        self.claims_set = claims.claims_set(facts)
        self.digest = sha256(self.claims_set).digest()
        payload = claims.token(nonce, self.digest, session)
        self._token = cose.sign1(payload, key.kid, key.sign)

    # for a verifier that knows the claims-set: application/eat+cwt
    def bare(self):
        return cbor.encode(self._token)

    # with the claims-set: application/eat-bun+cbor
    def bundle(self):
        cwt = cbor.encode(cbor.Tag(_CWT, self._token))
        return cbor.encode(cbor.Tag(_BUNDLE, [cwt, {"cfg": self.claims_set}]))
