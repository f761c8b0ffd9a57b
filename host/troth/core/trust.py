"""Whose word it is: the one door between Evidence and VerifiedEvidence (RFC 9052 section 4.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ..formats import cose
from .errors import UnknownSigner, Unsupported
from .evidence import Evidence


@dataclass(frozen=True, slots=True)
class KnownKey:
    """An enrolled key, as our own table holds it."""

    key_id: bytes  # first 8 bytes of the COSE Key Thumbprint (RFC 9679)
    device: str  # our own device id
    ueid: bytes
    algorithm: int
    public_key: EllipticCurvePublicKey
    revoked: bool = False


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
    signed = cose.signature1(evidence.protected, evidence.payload)
    cose.check_es256(key.public_key, evidence.signature, signed)
    if key.revoked:
        # after the signature: only the revoked key itself earns this answer
        raise UnknownSigner("key.revoked", "this key was revoked", path="protected/kid")
    return VerifiedEvidence(key, evidence.payload, evidence.claims_set)
