"""The emulator's own boot keys for Secure Boot v2, one of a kind per user, outside the repo.

RSA-3072 where the chip takes it, else P-256: the ESP32-C2 knows nothing but ECDSA.
"""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from emulator.places import state_home
from emulator.trouble import USAGE, Trouble

BITS = 3072
EXPONENT = 65537
RSA, ECDSA = "rsa3072", "ecdsa256"
FILES = {RSA: "boot-key.pem", ECDSA: "boot-key-p256.pem"}
P256 = b"\x02"  # the curve's number in a signature block


class RsaKey:
    """An RSA-3072 key as the boot ROM sees it."""

    version = 2

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    def public_block(self) -> bytes:
        """n, e, R and M' of the signature block: what the eFuse digest is taken over."""
        n = self._key.public_key().public_numbers().n
        r = (1 << BITS * 2) % n
        m = -pow(n, -1, 1 << 32) & 0xFFFFFFFF
        big = [value.to_bytes(BITS // 8, "little") for value in (n, r)]
        return big[0] + struct.pack("<I", EXPONENT) + big[1] + struct.pack("<I", m)

    def digest(self) -> bytes:
        """What is burned into the chip."""
        return hashlib.sha256(self.public_block()).digest()

    def sign(self, digest: bytes) -> bytes:
        """PSS with a salt of 32 bytes, least significant byte first."""
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        signature = self._key.sign(digest, pss, utils.Prehashed(hashes.SHA256()))
        return signature[::-1]


class EcKey:
    """A P-256 key as the boot ROM sees it."""

    version = 3

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key

    def public_block(self) -> bytes:
        """Curve, x and y of the signature block: what the eFuse digest is taken over."""
        point = self._key.public_key().public_numbers()
        return P256 + point.x.to_bytes(32, "little") + point.y.to_bytes(32, "little")

    def digest(self) -> bytes:
        """What is burned into the chip, as far as it has room for it."""
        return hashlib.sha256(self.public_block()).digest()

    def sign(self, digest: bytes) -> bytes:
        """r and s, least significant byte first."""
        signature = self._key.sign(digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        r, s = utils.decode_dss_signature(signature)
        return r.to_bytes(32, "little") + s.to_bytes(32, "little")


BootKey = RsaKey | EcKey


@cache
def boot_key(path: Path | None = None, schemes: tuple[str, ...] = (RSA,)) -> BootKey:
    """The key in this file, or the user's own, made if there is none yet: of the chip's kind."""
    if path is None:
        path = state_home() / FILES[schemes[0]]
        if not path.is_file():
            _make(path, schemes[0])
    try:
        # our own file: proving its primes again would take longer than a boot
        key = serialization.load_pem_private_key(
            path.read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
    except (OSError, ValueError, TypeError) as err:
        raise Trouble(
            "key.unreadable", f"{path} holds no private key: {err}", "give a PEM file", USAGE
        ) from err
    if RSA in schemes and isinstance(key, rsa.RSAPrivateKey) and key.key_size == BITS:
        return RsaKey(key)
    if ECDSA in schemes and isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size == 256:
        return EcKey(key)
    raise Trouble(
        "key.kind",
        f"{path} is no {' or '.join(schemes)} key, as this chip wants it",
        f"make one: espsecure generate-signing-key --version 2 --scheme {schemes[0]} key.pem",
        USAGE,
    )


def _make(path: Path, scheme: str) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if scheme == RSA:
        key = rsa.generate_private_key(EXPONENT, BITS)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    with suppress(FileExistsError):  # two makers at once: the first one's key stays
        os.link(new, path)
    new.unlink()


def verify_block(image: bytes, at: int, key_digest: bytes) -> str:
    """What the boot ROM says of the signature block at this place; empty when it is content."""
    block = image[at : at + 1216]
    if len(block) < 1216 or block[:2] not in (b"\xe7\x02", b"\xe7\x03"):
        return "no signature block"
    digest = hashlib.sha256(image[:at]).digest()
    if block[4:36] != digest:
        return "image digest does not match"
    public = block[36 : 812 if block[1] == RsaKey.version else 101]
    if hashlib.sha256(public).digest()[: len(key_digest)] != key_digest:
        return "signed by a key whose digest is not in eFuse"
    try:
        (_verify_rsa if block[1] == RsaKey.version else _verify_ec)(block, digest)
    except (InvalidSignature, ValueError):
        return "signature is not valid"
    return ""


def _verify_rsa(block: bytes, digest: bytes) -> None:
    numbers = rsa.RSAPublicNumbers(EXPONENT, int.from_bytes(block[36:420], "little"))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    numbers.public_key().verify(
        block[812:1196][::-1], digest, pss, utils.Prehashed(hashes.SHA256())
    )


def _verify_ec(block: bytes, digest: bytes) -> None:
    x, y, r, s = (int.from_bytes(block[at : at + 32], "little") for at in (37, 69, 101, 133))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    signature = utils.encode_dss_signature(r, s)
    key.verify(signature, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
