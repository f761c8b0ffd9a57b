"""The maker's and operator's own records: one deterministic map under one COSE_Sign1 signature.

RFC 9052 section 4.4, ES256, deterministic nonces (RFC 6979), so that the same record signed twice
is the same bytes. A record is opened only under a key that our home names, never its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from ..core.errors import BadSignature, Malformed
from ..formats import cbor, cose
from ..trouble import Trouble
from .keys import key_id

_SIGN1 = 18
_ALG, _CONTENT_TYPE, _KID = 1, 3, 4
_ES256 = -7
_KEYS = {
    "withdrawal": "release",
    "declaration": "release",
    "waiver": "baseline",
    "report": "baseline",
}
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


def sign_record(said: Mapping[str, Any], kind: str, key: EllipticCurvePrivateKey) -> bytes:
    """One record of a kind (`release`, `declaration`, `waiver`), signed."""
    payload = cbor2.dumps(said, canonical=True)
    protected = cbor2.dumps(
        {_ALG: _ES256, _CONTENT_TYPE: _type(kind), _KID: key_id(key.public_key())}, canonical=True
    )
    signed = cose.signature1(protected, payload)
    r, s = decode_dss_signature(
        key.sign(signed, ECDSA(hashes.SHA256(), deterministic_signing=True))
    )
    s = min(s, _ORDER - s)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(_SIGN1, [protected, {}, payload, signature]))


def open_record(raw: bytes, kind: str, key: EllipticCurvePublicKey) -> dict[str, Any]:
    """The map in a record, once its signature holds under this key.

    Raises Trouble `<kind>.unsigned` (no signed record at all) or `<kind>.signature`.
    """
    protected, payload, signature = _envelope(raw, kind)
    header = _decode(protected, kind)
    if header.get(_ALG) != _ES256 or header.get(_CONTENT_TYPE) != _type(kind):
        raise _unsigned(kind, f"the envelope holds no ES256 {kind} record")
    if header.get(_KID) != key_id(key):
        raise _refused(kind, "it was signed by another key than this home trusts")
    _check(key, signature, cose.signature1(protected, payload), kind)
    return _decode(payload, kind)


def record_id(raw: bytes) -> str:
    """The name of a record: its SHA-256."""
    return hashlib.sha256(raw).hexdigest()


def _envelope(raw: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    try:
        tag = cbor.read(raw, tags=frozenset({_SIGN1}))
    except Malformed as err:
        raise _unsigned(kind, f"not deterministic CBOR: {err}") from err
    item = tag.item if isinstance(tag, cbor.Tagged) else None
    if not isinstance(item, list) or [type(part) for part in item] != [bytes, dict, bytes, bytes]:
        raise _unsigned(kind, "it is not a COSE_Sign1 envelope")
    protected, unprotected, payload, signature = item
    if unprotected or len(signature) != 64:
        raise _unsigned(kind, "it is not an ES256 envelope")
    return protected, payload, signature


def _decode(raw: bytes, kind: str) -> dict[Any, Any]:
    try:
        said = cbor.read(raw)
    except Malformed as err:
        raise _refused(kind, f"its contents are not deterministic CBOR: {err}") from err
    if not isinstance(said, dict):
        raise _refused(kind, "its contents are not a map")
    return said


def _check(key: EllipticCurvePublicKey, signature: bytes, signed: bytes, kind: str) -> None:
    """A record is named by its bytes, so the twin (r, n - s) of a signature must not count."""
    if int.from_bytes(signature[32:], "big") > _ORDER // 2:
        raise _refused(kind, "the signature is not in its one form")
    try:
        cose.check_es256(key, signature, signed)
    except BadSignature as err:
        raise _refused(kind, "the signature does not hold: the record was altered") from err


def _type(kind: str) -> str:
    return f"application/troth-{kind}+cbor"


_OTHERWISE = {
    "release": ", or an app image with --files and --version",
    "declaration": "; a TOML file is signed first: troth declaration sign FILE",
}


def _unsigned(kind: str, why: str) -> Trouble:
    return Trouble(
        f"{kind}.unsigned",
        f"this is no signed {kind} record",
        why=why,
        fix=f"give the {kind} record as it was signed{_OTHERWISE.get(kind, '')}",
    )


def _refused(kind: str, why: str) -> Trouble:
    trusted = f"certs/dev/{_KEYS.get(kind, kind)}.pub"
    return Trouble(
        f"{kind}.signature",
        f"the {kind} record is refused",
        why=why,
        fix=f"use the record as it was signed under this home's {trusted}",
    )
