"""P-256 keys in files: made once with 0600, read with care, named by their thumbprint."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cbor2
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ..core.keyring import MASTER_BYTES, KeyRing
from ..trouble import Trouble


def make_key(path: Path) -> bool:
    """Make a key where there is none; False when there is one."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return write_new(path, pem, 0o600)


def read_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A P-256 key of this home. Raises Trouble `key.missing`, `key.kind` or `key.exposed`."""
    try:
        if path.stat().st_mode & 0o077:
            raise Trouble("key.exposed", f"others may read {path}", fix=f"chmod 600 {path}")
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as err:
        raise Trouble(
            "key.missing", f"no key {path}", why=str(err.strerror), fix=_new_pair(path)
        ) from err
    except (ValueError, TypeError) as err:
        raise Trouble("key.kind", f"{path} is no private key in PEM", fix=_new_pair(path)) from err
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Trouble("key.kind", f"{path} is not a P-256 key", fix=_new_pair(path))
    return key


def _new_pair(path: Path) -> str:
    """`troth init` overwrites nothing: what is left of a pair must go before it makes another."""
    files = (path, path.with_suffix(".pub"), path.with_suffix(".pem"))
    left = " ".join(str(file) for file in files if file.exists())
    return f"bring it back; or rm {left}, then troth init" if left else "troth init"


def make_master(path: Path) -> bool:
    """The secret from which every board's MAC key is derived; False when there is one."""
    return write_new(path, secrets.token_bytes(MASTER_BYTES), 0o600)


def open_ring(path: Path) -> KeyRing:
    """The MAC keys of this home's boards; its master is read when a board first needs it."""
    return KeyRing(lambda: _read_master(path))


def _read_master(path: Path) -> bytes:
    """Raises Trouble `key.missing`, `key.kind` or `key.exposed`."""
    fix = f"bring {path.name} back; a home that has no board with a fuse key: troth init"
    try:
        if path.stat().st_mode & 0o077:
            raise Trouble("key.exposed", f"others may read {path}", fix=f"chmod 600 {path}")
        master = path.read_bytes()
    except OSError as err:
        raise Trouble("key.missing", f"no key {path}", why=str(err.strerror), fix=fix) from err
    if len(master) != MASTER_BYTES:
        raise Trouble("key.kind", f"{path} is not {MASTER_BYTES} bytes of secret", fix=fix)
    return master


def read_public_key(keys: Path, purpose: str) -> ec.EllipticCurvePublicKey:
    """The public half that this home trusts for a purpose: `release.pub`, ..."""
    return read_public_pem(keys / f"{purpose}.pub")


def read_public_pem(path: Path) -> ec.EllipticCurvePublicKey:
    """Any public P-256 key. Raises Trouble `key.missing` or `key.kind`."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except OSError as err:
        raise Trouble(
            "key.missing", f"no public key {path}", why=str(err.strerror), fix="troth init"
        ) from err
    except ValueError as err:
        raise Trouble(
            "key.kind", f"{path.name} is no public key in PEM", fix=f"replace {path}"
        ) from err
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Trouble("key.kind", f"{path.name} is not a P-256 key", fix=f"replace {path}")
    return key


def key_id(key: ec.EllipticCurvePublicKey) -> bytes:
    """First 8 bytes of the COSE Key Thumbprint (RFC 9679)."""
    numbers = key.public_numbers()
    said: Mapping[int, Any] = {
        1: 2, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")
    }  # fmt: skip
    return hashlib.sha256(cbor2.dumps(said, canonical=True)).digest()[:8]


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """x || y."""
    numbers = key.public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """A public key as it is handed on."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def write_new(path: Path, data: bytes, mode: int) -> bool:
    """Write a file that does not exist yet, whole or not at all; no other user reads a key."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()  # half a key would stand in the way of the next try
        raise
    return True
