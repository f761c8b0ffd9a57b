"""A board's next key: vouched for by the one in force, and shown to be in the board's hands.

Two COSE_Sign1 in each other (troth.cddl, `rotation`): the old key signs nonce, ueid and the new key
as `cnf` (RFC 8747), the new key signs that message whole. Their `typ` is none of evidence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from ..formats import cbor, cose, eat
from .errors import BadSignature, Malformed, Replayed, Stale, UnknownSigner, Unsupported
from .freshness import Challenge
from .trust import SignKey

MAX_BYTES = 640
KIND = "application/troth-rotation+cose"
_CNF, _COSE_KEY = 8, 1
_EC2, _P256 = 2, 1


@dataclass(frozen=True, slots=True)
class Rotation:
    """Both signatures hold, and the board means this very challenge."""

    old: bytes  # key id
    new: bytes
    public_key: bytes  # x || y of the new one


class _Signed(NamedTuple):
    """One of the two messages, taken apart and not believed yet."""

    kid: bytes
    protected: bytes
    payload: bytes
    signature: bytes

    def check(self, key: ec.EllipticCurvePublicKey) -> None:
        cose.check_es256(key, self.signature, cose.signature1(self.protected, self.payload))


def voucher(raw: bytes) -> bytes:
    """The id of the key that is said to vouch: a question to our own table, nothing more."""
    return _apart(raw)[1].kid


def check_rotation(
    raw: bytes, old: SignKey, asked: Challenge | Callable[[bytes], Challenge], *, now: int
) -> Rotation:
    """Who may sign for the board from now on. Raises Rejected with the codes of evidence.

    Signatures before meanings: of what the old key signed nothing is read until it holds, not even
    the nonce, by which `asked` finds the challenge where no session names it.
    """
    outer, inner = _apart(raw)
    if inner.kid != old.key_id:
        raise UnknownSigner("key.unknown", "not signed by the key in force", path="voucher/kid")
    inner.check(cose.point(old.public_key))
    if old.revoked:
        raise UnknownSigner("key.revoked", "the old key was revoked", path="voucher/kid")
    said = _claims(inner.payload)
    challenge = asked if isinstance(asked, Challenge) else asked(said[eat.NONCE])
    _check_fresh(said, old, challenge, now)
    public = _public(said[_CNF])
    new, point = _key_id(public), _point(public)
    if outer.kid != new or new == old.key_id:
        raise BadSignature("sig.bad", "not signed by the new key", path="rotation/kid")
    outer.check(point)
    return Rotation(old.key_id, new, public)


def _apart(raw: bytes) -> tuple[_Signed, _Signed]:
    if len(raw) > MAX_BYTES:
        raise Malformed("size.limit", f"{len(raw)} bytes, at most {MAX_BYTES}", path="rotation")
    outer = _signed(raw, "rotation")
    return outer, _signed(outer.payload, "voucher")


def _signed(raw: bytes, path: str) -> _Signed:
    message = cbor.read(raw, path=path, tags=frozenset((eat.SIGN1,)))
    parts = message.item if type(message) is cbor.Tagged else None
    if type(parts) is not list or len(parts) != 4 or parts[1] != {}:
        raise Malformed("cose.structure", "want a COSE_Sign1 of ours", path=path)
    protected, _, payload, signature = parts
    if not all(type(part) is bytes for part in (protected, payload, signature)):
        raise Malformed("cose.structure", "want bytes", path=path)
    header = cbor.read(protected, path=f"{path}/protected")
    if type(header) is not dict or header.keys() != {eat.ALG, eat.KID, eat.TYP}:
        raise Malformed("cose.header", "want alg, kid and typ", path=f"{path}/protected")
    if type(header[eat.ALG]) is not int or header[eat.ALG] != eat.ES256:
        raise Unsupported("cose.algorithm", "want ES256", path=f"{path}/protected/alg")
    kid = header[eat.KID]
    if header[eat.TYP] != KIND or type(kid) is not bytes or len(kid) != eat.KEY_ID_BYTES:
        raise Malformed("cose.header", "of another kind", path=f"{path}/protected")
    return _Signed(kid, protected, payload, signature)


def _claims(payload: bytes) -> dict[Any, Any]:
    said = cbor.read(payload, path="claims")
    if type(said) is not dict or said.keys() != {_CNF, eat.NONCE, eat.UEID}:
        raise Malformed("claim.unknown", "want cnf, nonce and ueid", path="claims")
    return said


def _check_fresh(said: dict[Any, Any], old: SignKey, challenge: Challenge, now: int) -> None:
    if said[eat.UEID] != old.ueid:
        raise BadSignature("id.mismatch", "the signer names another device", path="claims/ueid")
    if said[eat.NONCE] != challenge.nonce or challenge.ueid not in (None, old.ueid):
        raise Replayed("nonce.replayed", "answers another challenge", path="claims/nonce")
    if challenge.spent:
        raise Replayed("nonce.spent", "this challenge was answered before", path="claims/nonce")
    if now >= challenge.expires:
        raise Stale("nonce.expired", "this challenge is no longer open", path="claims/nonce")


def _public(said: Any) -> bytes:
    """x || y of a COSE_Key with nothing but what P-256 needs (RFC 9053 section 7.1)."""
    key = said.get(_COSE_KEY) if type(said) is dict and len(said) == 1 else None
    if type(key) is not dict or key.keys() != {1, -1, -2, -3}:
        raise Malformed("claim.type", "want a COSE_Key", path="claims/cnf")
    x, y = key[-2], key[-3]
    kind = [key[1], key[-1]]
    if [*map(type, kind), type(x), type(y)] != [int, int, bytes, bytes] or kind != [_EC2, _P256]:
        raise Malformed("claim.type", "want a P-256 key", path="claims/cnf")
    if len(x) != 32 or len(y) != 32:
        raise Malformed("claim.range", "want 32 bytes for each coordinate", path="claims/cnf")
    return bytes(x + y)


def _point(public: bytes) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + public)
    except ValueError:
        raise Malformed("claim.range", "no point of P-256", path="claims/cnf") from None


def _key_id(public: bytes) -> bytes:
    """First bytes of the COSE Key Thumbprint (RFC 9679)."""
    thumb = b"\xa4\x01\x02\x20\x01\x21\x58\x20" + public[:32] + b"\x22\x58\x20" + public[32:]
    return hashlib.sha256(thumb).digest()[: eat.KEY_ID_BYTES]
