"""The emulator's own boot key: RSA-3072 for Secure Boot v2, one per user, outside the repo."""

from __future__ import annotations

import hashlib
import os
import struct
from contextlib import suppress
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils

from emulator.places import state_home
from emulator.trouble import USAGE, Trouble

BITS = 3072
EXPONENT = 65537


class BootKey:
    """An RSA-3072 key as the boot ROM sees it."""

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


@cache
def boot_key(path: Path | None = None) -> BootKey:
    """The key in this file, or the user's own, made if there is none yet."""
    if path is None:
        path = state_home() / "boot-key.pem"
        if not path.is_file():
            _make(path)
    try:
        # our own file: proving its primes again would take longer than a boot
        key = serialization.load_pem_private_key(
            path.read_bytes(), None, unsafe_skip_rsa_key_validation=True
        )
    except (OSError, ValueError, TypeError) as err:
        raise Trouble(
            "key.unreadable", f"{path} holds no private key: {err}", "give a PEM file", USAGE
        ) from err
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != BITS:
        raise Trouble(
            "key.kind",
            f"{path} is no RSA-{BITS} key",
            "make one: espsecure generate-signing-key --version 2 --scheme rsa3072 key.pem",
            USAGE,
        )
    return BootKey(key)


def _make(path: Path) -> None:
    key = rsa.generate_private_key(EXPONENT, BITS)
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
    if len(block) < 1216 or block[:2] != b"\xe7\x02":
        return "no signature block"
    digest = hashlib.sha256(image[:at]).digest()
    if block[4:36] != digest:
        return "image digest does not match"
    if hashlib.sha256(block[36:812]).digest() != key_digest:
        return "signed by a key whose digest is not in eFuse"
    numbers = rsa.RSAPublicNumbers(EXPONENT, int.from_bytes(block[36:420], "little"))
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
    try:
        numbers.public_key().verify(
            block[812:1196][::-1], digest, pss, utils.Prehashed(hashes.SHA256())
        )
    except (InvalidSignature, ValueError):
        return "signature is not valid"
    return ""
