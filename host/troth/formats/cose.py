"""COSE signatures with ES256 (RFC 9052, RFC 9053): ours by their parts, peers' as they come.

Never de-duplicate by the bytes of a signature: (r, n - s) holds wherever (r, s) does, so anybody
can turn one good token into another.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from ..core.errors import BadSignature, Malformed, Unsupported
from ..tuples import new
from . import cbor

ALG, CRIT, KID = 1, 2, 4
ES256 = -7
SIGN, SIGN1 = 98, 18

_ORDER = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")  # P-256
_ZERO = bytes(32)

_ECDSA = ec.ECDSA(Prehashed(SHA256()))  # hashlib is quicker than the library's own hashing
_EMPTY_MAP = b"\xa0"
_EMPTY = b"\x40"  # h''
_SIGNED = b"\x84\x6aSignature1%c%b\x40\x58%c%b"


def bstr(data: bytes) -> bytes:
    """One byte string with the shortest head, of less than 64 KiB."""
    n = len(data)
    if n < 24:
        return bytes((0x40 | n,)) + data
    if n < 256:
        return bytes((0x58, n)) + data
    return b"\x59" + n.to_bytes(2, "big") + data


def signature1(protected: bytes, payload: bytes, external_aad: bytes = b"") -> bytes:
    """The Sig_structure of a COSE_Sign1 (section 4.4)."""
    if 24 <= len(payload) < 256 and 1 < len(protected) < 24 and not external_aad:  # every token
        return _SIGNED % (0x40 | len(protected), protected, len(payload), payload)
    body = bstr(_normal(protected)) + bstr(external_aad) + bstr(payload)
    return b"\x84\x6aSignature1" + body


def mac0(protected: bytes, payload: bytes) -> bytes:
    """The MAC_structure of a COSE_Mac0 of ours (section 6.3): no outside data."""
    return b"\x84\x64MAC0" + bstr(_normal(protected)) + _EMPTY + bstr(payload)


def _signature(body: bytes, signer: bytes, payload: bytes, external_aad: bytes) -> bytes:
    """The Sig_structure of one signer of a COSE_Sign."""
    parts = (_normal(body), _normal(signer), external_aad, payload)
    return b"\x85\x69Signature" + b"".join(map(bstr, parts))


def _normal(protected: bytes) -> bytes:
    """An empty protected header is the empty string, even when h'a0' was sent."""
    return b"" if protected == _EMPTY_MAP else protected


class Es256(NamedTuple):
    """All that the arithmetic needs to know of one signature."""

    key: ec.EllipticCurvePublicKey
    der: bytes
    digest: bytes  # of what was signed

    def holds(self) -> bool:
        """Whether this very key made it (RFC 9053 section 2.1)."""
        return _holds(self.key, self.der, self.digest)


def es256(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> Es256:
    """Read r || s as a signature of `signed`. Raises BadSignature for what can be none."""
    return new(Es256, (key, _der(signature), sha256(signed).digest()))


def check_es256(key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    """Raise BadSignature unless r || s is this key's signature of `signed`."""
    if not _holds(key, _der(signature), sha256(signed).digest()):
        raise does_not_hold()


def sign_es256(key: ec.EllipticCurvePrivateKey, signed: bytes) -> bytes:
    """r || s of what is handed in (RFC 9053 section 2.1)."""
    r, s = decode_dss_signature(key.sign(sha256(signed).digest(), _ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def does_not_hold() -> BadSignature:
    return BadSignature("sig.bad", "the signature does not hold", path="signature")


@lru_cache(maxsize=65_536)
def point(public_key: bytes) -> ec.EllipticCurvePublicKey:
    """The key of x || y; ValueError when that is no point of the curve."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)


def _holds(key: ec.EllipticCurvePublicKey, der: bytes, digest: bytes) -> bool:
    try:
        key.verify(der, digest, _ECDSA)
    except InvalidSignature:
        return False
    return True


def _der(signature: bytes) -> bytes:
    """SEQUENCE { r INTEGER, s INTEGER }, as the library takes a signature, from r || s."""
    if len(signature) != 64:
        raise BadSignature(
            "sig.bad", f"{len(signature)} bytes, an ES256 signature has 64", path="signature"
        )
    r, s = signature[:32], signature[32:]
    if not (_ZERO < r < _ORDER and _ZERO < s < _ORDER):  # big-endian: bytes compare as numbers
        raise BadSignature("sig.bad", "r or s is out of range", path="signature")
    r, s = r.lstrip(b"\0"), s.lstrip(b"\0")
    r = b"\0" + r if r[0] & 0x80 else r
    s = b"\0" + s if s[0] & 0x80 else s
    return b"0%c\x02%c%b\x02%c%b" % (len(r) + len(s) + 4, len(r), r, len(s), s)


def check_hmac(secret: bytes, tag: bytes, maced: bytes) -> None:
    """Raise BadSignature unless this is the whole HMAC 256/256 tag (RFC 9053 section 3.1)."""
    if len(tag) != 32:
        raise BadSignature("sig.bad", f"{len(tag)} bytes, an HMAC tag has 32", path="signature")
    if not hmac.compare_digest(hmac.digest(secret, maced, "sha256"), tag):
        raise BadSignature("sig.bad", "the tag does not hold", path="signature")


@dataclass(frozen=True, slots=True)
class Signed:
    """What a verified message holds; the unprotected header is the carrier's word only."""

    protected: dict[int | str, Any]
    unprotected: dict[int | str, Any]
    payload: bytes


def verify(
    raw: bytes,
    key: ec.EllipticCurvePublicKey,
    *,
    external_aad: bytes = b"",
    understood: frozenset[int | str] = frozenset(),
) -> Signed:
    """Verify a peer's COSE_Sign1, or one ES256 signature of a COSE_Sign, under this very key.

    Wider than our own profile: the tag may be missing (then it is a COSE_Sign1), the algorithm may
    stand in either header (the key allows no other), headers may hold more. `understood` are the
    critical labels (`crit`) that the caller itself acts upon.
    """
    message = cbor.read(raw, path="envelope", tags=frozenset((SIGN, SIGN1)), deterministic=False)
    number, parts = message if type(message) is cbor.Tagged else (SIGN1, message)
    if type(parts) is not list or len(parts) != 4:
        raise Malformed("cose.structure", "want an array of four", path="envelope")
    protected, unprotected, payload, seal = parts
    header = _header(protected, unprotected, understood)
    if type(payload) is not bytes:
        raise Malformed("cose.structure", "want the payload as bytes", path="payload")
    if number == SIGN1:
        _check_algorithm(header, unprotected)
        if type(seal) is not bytes:
            raise Malformed("cose.structure", "want the signature as bytes", path="signature")
        check_es256(key, seal, signature1(protected, payload, external_aad))
    else:
        _check_signers(key, seal, protected, payload, external_aad, understood)
    return Signed(header, unprotected, payload)


def _header(
    protected: Any, unprotected: Any, understood: frozenset[int | str]
) -> dict[int | str, Any]:
    if type(protected) is not bytes or type(unprotected) is not dict:
        raise Malformed("cose.structure", "want protected bytes and a map", path="header")
    header = cbor.read(protected, path="protected", deterministic=False) if protected else {}
    if type(header) is not dict:
        raise Malformed("cose.structure", "want a map", path="protected")
    if header.keys() & unprotected.keys():
        raise Malformed("cose.header", "one label in both headers", path="header")
    if CRIT in unprotected:
        raise Malformed("cose.header", "crit must be protected", path="unprotected")
    if CRIT in header:
        _check_critical(header, understood)
    return header


def _check_critical(header: dict[int | str, Any], understood: frozenset[int | str]) -> None:
    critical = header[CRIT]
    if type(critical) is not list or not critical:
        raise Malformed("cose.header", "crit is empty or no array", path="protected/crit")
    for label in critical:
        if type(label) not in (int, str) or label not in header:
            raise Malformed("cose.header", "crit names an absent label", path="protected/crit")
        if label not in understood:
            raise Unsupported("cose.header", "crit names an unknown label", path="protected/crit")


def _check_algorithm(header: dict[int | str, Any], unprotected: dict[int | str, Any]) -> None:
    algorithm = header.get(ALG, unprotected.get(ALG))
    if type(algorithm) is not int or algorithm != ES256:
        raise Unsupported("cose.algorithm", "want ES256", path="header/alg")


def _check_signers(
    key: ec.EllipticCurvePublicKey,
    signers: Any,
    body: bytes,
    payload: bytes,
    external_aad: bytes,
    understood: frozenset[int | str],
) -> None:
    """At least one signer of a COSE_Sign must hold under our key; the others are not asked."""
    if type(signers) is not list or not signers:
        raise Malformed("cose.structure", "want signatures", path="signatures")
    refused: Malformed | BadSignature | None = None
    for signer in signers:
        if type(signer) is not list or len(signer) != 3 or type(signer[2]) is not bytes:
            raise Malformed("cose.structure", "want an array of three", path="signatures")
        try:
            header = _header(signer[0], signer[1], understood)
            _check_algorithm(header, signer[1])
            check_es256(key, signer[2], _signature(body, signer[0], payload, external_aad))
        except (Malformed, BadSignature) as err:
            refused = err
        else:
            return
    if refused is not None:
        raise refused
