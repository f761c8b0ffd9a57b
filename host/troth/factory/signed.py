"""The maker's and operator's own records: one deterministic map under one COSE_Sign1 signature.

RFC 9052 section 4.4, ES256, deterministic nonces (RFC 6979), so that the same record signed twice
is the same bytes. A record is opened only under a key that our home names, never its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from ..trouble import Trouble
from .keys import key_id

_SIGN1 = 18
_ALG, _CONTENT_TYPE, _KID = 1, 3, 4
_ES256 = -7
_MAX_BYTES = 64 * 1024


def sign_record(said: Mapping[str, Any], kind: str, key: EllipticCurvePrivateKey) -> bytes:
    """One record of a kind (`release`, `withdrawal`, `baseline`), signed."""
    payload = cbor2.dumps(said, canonical=True)
    protected = cbor2.dumps(
        {_ALG: _ES256, _CONTENT_TYPE: _type(kind), _KID: key_id(key.public_key())}, canonical=True
    )
    der = key.sign(_to_sign(protected, payload), ECDSA(hashes.SHA256(), deterministic_signing=True))
    r, s = decode_dss_signature(der)
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
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), _to_sign(protected, payload), ECDSA(hashes.SHA256()))
    except InvalidSignature as err:
        raise _refused(kind, "the signature does not hold: the record was altered") from err
    said = _decode(payload, kind)
    if cbor2.dumps(said, canonical=True) != payload:
        raise _refused(kind, "the record is not in its one deterministic form")
    return said


def record_id(raw: bytes) -> str:
    """The name of a record: its SHA-256."""
    return hashlib.sha256(raw).hexdigest()


def _envelope(raw: bytes, kind: str) -> tuple[bytes, bytes, bytes]:
    if len(raw) > _MAX_BYTES:
        raise _unsigned(kind, f"{len(raw)} bytes, at most {_MAX_BYTES}")
    try:
        tag = cbor2.loads(raw)
    except (cbor2.CBORDecodeError, ValueError, RecursionError) as err:
        raise _unsigned(kind, "it is not CBOR") from err
    item = tag.value if isinstance(tag, cbor2.CBORTag) and tag.tag == _SIGN1 else None
    if not isinstance(item, list | tuple) or len(item) != 4:
        raise _unsigned(kind, "it is not a COSE_Sign1 envelope")
    if cbor2.dumps(tag) != raw:
        raise _unsigned(kind, "bytes are left over, or not in their shortest form")
    protected, unprotected, payload, signature = item
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        raise _unsigned(kind, "it is not a COSE_Sign1 envelope")
    if unprotected != {} or len(signature) != 64:
        raise _unsigned(kind, "it is not an ES256 envelope")
    return protected, payload, signature


def _decode(raw: bytes, kind: str) -> dict[Any, Any]:
    try:
        said = cbor2.loads(raw)
    except (cbor2.CBORDecodeError, ValueError, RecursionError) as err:
        raise _refused(kind, "its contents are not CBOR") from err
    if not isinstance(said, dict):
        raise _refused(kind, "its contents are not a map")
    return said


def _to_sign(protected: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, b"", payload])


def _type(kind: str) -> str:
    return f"application/troth-{kind}+cbor"


def _unsigned(kind: str, why: str) -> Trouble:
    return Trouble(f"{kind}.unsigned", f"this is no signed {kind} record", why=why)


def _refused(kind: str, why: str) -> Trouble:
    return Trouble(f"{kind}.signature", f"the {kind} record is refused", why=why)
