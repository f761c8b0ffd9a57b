"""What an app image says of itself: chip, digest, version, and who signed it for secure boot.

Format: esp_app_format.h and esp_app_desc.h of ESP-IDF; signature blocks of Secure Boot v2. The
digest is recomputed, never taken from the file.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from ..trouble import Trouble

CHIPS = {
    0x00: "esp32",
    0x02: "esp32s2",
    0x05: "esp32c3",
    0x09: "esp32s3",
    0x0C: "esp32c2",
    0x0D: "esp32c6",
    0x10: "esp32h2",
    0x12: "esp32p4",
    0x17: "esp32c5",
}
FROZEN_AGENT = b"troth_agent/__init__.py"  # a frozen module keeps its path in the image

_MAX_BYTES = 16 * 1024 * 1024
_HEADER = 24
_DESCRIPTION = 0x20
_DESCRIPTION_MAGIC = 0xABCD5432
_SECTOR = 4096
_BLOCK = 1216
_RSA, _ECDSA = 2, 3


@dataclass(frozen=True, slots=True)
class AppImage:
    """One app image, read and checked."""

    chip: str
    digest: str  # hex SHA-256 from the first byte up to the appended hash
    version: str
    secure_version: int
    boot_key_digests: tuple[str, ...]  # of the keys whose signatures hold
    frozen_agent: bool


def read_image(raw: bytes) -> AppImage:
    """Read an app image. Raises Trouble `release.image` or `release.image-signature`."""
    if not _HEADER < len(raw) <= _MAX_BYTES or raw[0] != 0xE9:
        raise _bad("this is not an app image", f"want magic 0xe9 and at most {_MAX_BYTES} bytes")
    chip_id = struct.unpack_from("<H", raw, 12)[0]
    if chip_id not in CHIPS:
        raise _bad(f"the image is for an unknown chip {chip_id:#x}")
    end = _end_of_segments(raw)
    digest = hashlib.sha256(raw[:end]).digest()
    if raw[23]:
        if raw[end : end + 32] != digest:
            raise _bad("the image does not match the hash appended to it", f"at byte {end}")
        end += 32
    version, secure_version = _description(raw)
    return AppImage(
        CHIPS[chip_id],
        digest.hex(),
        version,
        secure_version,
        _signers(raw, end),
        FROZEN_AGENT in raw[:end],
    )


def _end_of_segments(raw: bytes) -> int:
    """Walk the segments; the byte after the checksum, which is the last of a 16-byte row."""
    at, check = _HEADER, 0xEF
    for _ in range(raw[1]):
        if at + 8 > len(raw):
            raise _bad("the image is cut off", f"in a segment header at byte {at}")
        size = struct.unpack_from("<I", raw, at + 4)[0]
        at += 8
        if size > len(raw) - at:
            raise _bad("the image is cut off", f"segment of {size} bytes at byte {at}")
        check ^= _xor(raw[at : at + size])
        at += size
    end = (at // 16 + 1) * 16
    if end > len(raw) or raw[end - 1] != check:
        raise _bad("the image's checksum does not hold", f"at byte {end - 1}")
    return end


def _xor(data: bytes) -> int:
    """XOR of all bytes, folded in halves: a Python loop over a megabyte would take seconds."""
    while len(data) > 64:
        half = (len(data) + 1) // 2
        folded = int.from_bytes(data[:half], "big") ^ int.from_bytes(data[half:], "big")
        data = folded.to_bytes(half, "big")
    check = 0
    for byte in data:
        check ^= byte
    return check


def _description(raw: bytes) -> tuple[str, int]:
    """Version and anti-rollback number of esp_app_desc_t; stock MicroPython leaves them empty."""
    if len(raw) < _DESCRIPTION + 256:
        return "", 0
    magic, secure_version = struct.unpack_from("<II", raw, _DESCRIPTION)
    if magic != _DESCRIPTION_MAGIC:
        return "", 0
    version = raw[_DESCRIPTION + 16 : _DESCRIPTION + 48].split(b"\0")[0]
    return version.decode("utf-8", "replace"), secure_version


def _signers(raw: bytes, end: int) -> tuple[str, ...]:
    """Key digests of the signature blocks behind the image; every block's signature must hold."""
    sector = -(-end // _SECTOR) * _SECTOR
    signed = hashlib.sha256(raw[:sector]).digest()
    digests = []
    for at in range(sector, sector + 3 * _BLOCK, _BLOCK):
        block = raw[at : at + _BLOCK]
        if block[:1] != b"\xe7":
            break
        if len(block) < _BLOCK or struct.unpack_from("<I", block, 1196)[0] != zlib.crc32(
            block[:1196]
        ):
            raise _unsigned("a signature block is damaged", f"at byte {at}")
        if block[4:36] != signed:
            raise _unsigned("a signature block belongs to another image", f"at byte {at}")
        digests.append(_check_block(block, signed, at))
    return tuple(digests)


def _check_block(block: bytes, digest: bytes, at: int) -> str:
    """The digest of the block's public key, as it is burned into the fuses, if it signed this."""
    try:
        if block[1] == _RSA:
            return _check_rsa(block, digest)
        if block[1] == _ECDSA and block[36] == 2:  # NIST P-256
            return _check_ecdsa(block, digest)
    except (InvalidSignature, ValueError) as err:
        raise _unsigned("a signature block's signature does not hold", f"at byte {at}") from err
    raise _unsigned("a signature block is of an unknown kind", f"version {block[1]} at byte {at}")


def _check_rsa(block: bytes, digest: bytes) -> str:
    modulus = int.from_bytes(block[36:420], "little")
    exponent = int.from_bytes(block[420:424], "little")
    key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    key.verify(block[812:1196][::-1], digest, pss, Prehashed(hashes.SHA256()))
    return hashlib.sha256(block[36:812]).hexdigest()


def _check_ecdsa(block: bytes, digest: bytes) -> str:
    x, y, r, s = (int.from_bytes(block[at : at + 32], "little") for at in (37, 69, 101, 133))
    key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    return hashlib.sha256(block[36:101]).hexdigest()


def _bad(what: str, why: str = "") -> Trouble:
    return Trouble(
        "release.image", what, why=why, fix="give the app image (micropython.bin, *.app-bin)"
    )


def _unsigned(what: str, why: str) -> Trouble:
    return Trouble("release.image-signature", what, why=why, fix="sign the image again: espsecure")
