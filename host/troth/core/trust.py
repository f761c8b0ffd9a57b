"""Whose word it is: the one door between Evidence and VerifiedEvidence (RFC 9052 4.4 and 6.3).

An enrolled key is one of two types, and its type alone says how it is checked: what a message
calls its algorithm can never make a public key serve as the secret of a MAC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from ..formats import cose, eat
from ..tuples import new
from .errors import UnknownSigner, Unsupported
from .evidence import Evidence


@dataclass(frozen=True, slots=True)
class SignKey:
    """An enrolled ES256 key, as our own table holds it."""

    algorithm: ClassVar[int] = eat.ES256

    key_id: bytes  # first 8 bytes of the COSE Key Thumbprint (RFC 9679)
    device: str  # our own device id
    ueid: bytes
    public_key: bytes  # x || y
    revoked: bool = False
    point: EllipticCurvePublicKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "point", cose.point(self.public_key))

    def seal(self, evidence: Evidence) -> cose.Es256:
        """What must hold under this key. Raises BadSignature for what can be no signature."""
        signed = cose.signature1(evidence.protected, evidence.payload)
        return cose.es256(self.point, evidence.signature, signed)


@dataclass(frozen=True, slots=True)
class MacKey:
    """An enrolled HMAC 256/256 key, as the key ring derives it; the fuse holds the same."""

    algorithm: ClassVar[int] = eat.HMAC_256

    key_id: bytes  # `keyring.mac_key_id`
    device: str
    ueid: bytes
    secret: bytes = field(repr=False)
    revoked: bool = False

    def seal(self, evidence: Evidence) -> None:
        """Raise BadSignature unless its holder made the tag; nothing is left to be checked."""
        maced = cose.mac0(evidence.protected, evidence.payload)
        cose.check_hmac(self.secret, evidence.signature, maced)


KnownKey = SignKey | MacKey


class Sealed(NamedTuple):
    """Evidence under an enrolled key, whose signature is still to be checked."""

    key: KnownKey
    evidence: Evidence
    seal: cose.Es256 | None  # None: a MAC, and it held

    @property
    def plain(self) -> tuple[bytes, bytes, bytes] | None:
        """What the arithmetic needs, for another process: public key, DER and digest."""
        if self.seal is None or isinstance(self.key, MacKey):
            return None
        return self.key.public_key, self.seal.der, self.seal.digest

    def holds(self) -> bool:
        """The arithmetic: most of what a report costs."""
        return self.seal is None or self.seal.holds()


class VerifiedEvidence(NamedTuple):
    """Evidence whose signature holds under an enrolled key; only `opened` makes one."""

    key: KnownKey
    payload: bytes
    claims_set: bytes | None


def sealed(evidence: Evidence, key: KnownKey | None) -> Sealed:
    """All of `authenticate` that comes before the arithmetic."""
    if key is None or key.key_id != evidence.key_id:
        raise UnknownSigner("key.unknown", "no enrolled key has this id", path="protected/kid")
    if key.algorithm != evidence.algorithm:
        raise Unsupported("cose.algorithm", "enrolled for another one", path="protected/alg")
    return new(Sealed, (key, evidence, key.seal(evidence)))


def opened(sealed: Sealed, holds: bool) -> VerifiedEvidence:
    """All of `authenticate` that comes after; `holds` is what `Sealed.holds` said of it."""
    key, evidence, _ = sealed
    if not holds:
        raise cose.does_not_hold()
    if key.revoked:
        # after the signature: only the revoked key itself earns this answer
        raise UnknownSigner("key.revoked", "this key was revoked", path="protected/kid")
    return new(VerifiedEvidence, (key, evidence.payload, evidence.claims_set))


def authenticate(evidence: Evidence, key: KnownKey | None) -> VerifiedEvidence:
    """Check the signature under the key that our table holds for this key id.

    Raises UnknownSigner (`key.unknown`, `key.revoked`), Unsupported (`cose.algorithm`) or
    BadSignature (`sig.bad`). Who has many does it in its three steps, each for all of them: what
    one step needs stays in the processor's cache, and the arithmetic can be done elsewhere.
    """
    found = sealed(evidence, key)
    return opened(found, found.holds())
