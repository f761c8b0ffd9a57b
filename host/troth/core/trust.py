"""Whose word it is: the one door between Evidence and VerifiedEvidence (RFC 9052 4.4 and 6.3).

An enrolled key is one of two types, and its type alone says how it is checked: what a message
calls its algorithm can never make a public key serve as the secret of a MAC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ..formats import cose, eat
from .errors import UnknownSigner, Unsupported
from .evidence import Evidence


@dataclass(frozen=True, slots=True)
class SignKey:
    """An enrolled ES256 key, as our own table holds it."""

    algorithm: ClassVar[int] = eat.ES256

    key_id: bytes  # first 8 bytes of the COSE Key Thumbprint (RFC 9679)
    device: str  # our own device id
    ueid: bytes
    public_key: EllipticCurvePublicKey
    revoked: bool = False

    def check(self, evidence: Evidence) -> None:
        """Raise BadSignature unless this key signed it."""
        signed = cose.signature1(evidence.protected, evidence.payload)
        cose.check_es256(self.public_key, evidence.signature, signed)


@dataclass(frozen=True, slots=True)
class MacKey:
    """An enrolled HMAC 256/256 key, as the key ring derives it; the fuse holds the same."""

    algorithm: ClassVar[int] = eat.HMAC_256

    key_id: bytes  # `keyring.mac_key_id`
    device: str
    ueid: bytes
    secret: bytes = field(repr=False)
    revoked: bool = False

    def check(self, evidence: Evidence) -> None:
        """Raise BadSignature unless its holder made the tag."""
        maced = cose.mac0(evidence.protected, evidence.payload)
        cose.check_hmac(self.secret, evidence.signature, maced)


KnownKey = SignKey | MacKey


class VerifiedEvidence(NamedTuple):
    """Evidence whose signature holds under an enrolled key; only `authenticate` makes one."""

    key: KnownKey
    payload: bytes
    claims_set: bytes | None


def authenticate(evidence: Evidence, key: KnownKey | None) -> VerifiedEvidence:
    """Check the signature under the key that our table holds for this key id.

    Raises UnknownSigner (`key.unknown`, `key.revoked`), Unsupported (`cose.algorithm`) or
    BadSignature (`sig.bad`).
    """
    if key is None or key.key_id != evidence.key_id:
        raise UnknownSigner("key.unknown", "no enrolled key has this id", path="protected/kid")
    if key.algorithm != evidence.algorithm:
        raise Unsupported("cose.algorithm", "enrolled for another one", path="protected/alg")
    key.check(evidence)
    if key.revoked:
        # after the signature: only the revoked key itself earns this answer
        raise UnknownSigner("key.revoked", "this key was revoked", path="protected/kid")
    return VerifiedEvidence(key, evidence.payload, evidence.claims_set)
