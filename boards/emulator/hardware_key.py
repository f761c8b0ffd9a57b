"""The key that a line puts into silicon: burned into a fuse block, or made in a secure element."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from pathlib import Path

from emulator.chips import Chip
from emulator.efuse import Fuses
from emulator.trouble import USAGE, Trouble

SIGNERS = ("soft", "efuse-hmac", "atecc608")
BLOCK = 5  # the one block that no other use needs: on some chips it cannot hold a flash key
HMAC_UP = 8
SALT = b"troth/efuse-hmac/1"
KEY_BYTES = 32
_MASTER_FIX = "name the home's hmac-master.key"
# bits of WR_DIS: purpose 0 and key block 0; the others follow
PURPOSE_FIXED, BLOCK_FIXED = 8, 23


def signer_of(chip: Chip, profile: str, asked: str | None) -> str:
    """The signer of a board: what was asked for, or the best that its profile and chip have."""
    best = "efuse-hmac" if _has_hmac(chip) else "atecc608"
    signer = asked or (best if profile == "P1" else "soft")
    if signer not in SIGNERS:
        raise Trouble("signer.unknown", f"no signer {signer}", " or ".join(SIGNERS), USAGE)
    if (profile == "P0") != (signer == "soft") and profile != "P2":
        fix = "--profile P1 for a key in hardware, P0 for one in flash"
        raise Trouble("signer.profile", f"{profile} has no {signer} key", fix, USAGE)
    if signer == "efuse-hmac" and not _has_hmac(chip):
        fix = "--signer atecc608, or choose another --chip"
        raise Trouble("signer.absent", f"{chip.id} has no HMAC peripheral", fix, USAGE)
    return signer


def _has_hmac(chip: Chip) -> bool:
    return f"KEY_PURPOSE_{BLOCK}" in chip.fields


def burn_hmac(at: Path, fuses: Fuses, mac: bytes, master: Path | None) -> None:
    """Burn a read-protected HMAC key: the fuse file shows zeros, so the key is kept beside it."""
    key = derive(_read_master(master), mac) if master else secrets.token_bytes(KEY_BYTES)
    fuses.burn(f"KEY_PURPOSE_{BLOCK}", HMAC_UP)
    fuses.burn("RD_DIS", 1 << BLOCK)
    fuses.burn("WR_DIS", 1 << PURPOSE_FIXED + BLOCK | 1 << BLOCK_FIXED + BLOCK)
    keep(at / f"efuse-key{BLOCK}.bin", key)


def derive(master: bytes, mac: bytes) -> bytes:
    """One block of HKDF-SHA256 (RFC 5869): a key for this board alone."""
    extracted = hmac.digest(SALT, master, hashlib.sha256)
    return hmac.digest(extracted, mac + b"\x01", hashlib.sha256)


def _read_master(path: Path) -> bytes:
    try:
        master = path.read_bytes()
    except OSError as err:
        raise Trouble("signer.master", f"{path}: {err.strerror}", _MASTER_FIX, USAGE) from err
    if len(master) != KEY_BYTES:
        what = f"{path} has {len(master)} bytes, not {KEY_BYTES}"
        raise Trouble("signer.master", what, _MASTER_FIX, USAGE)
    return master


def solder_atecc608(at: Path) -> None:
    """A new secure element, configured and locked by its line; its key it makes itself."""
    serial = b"\x01\x23" + secrets.token_bytes(6) + b"\xee"
    config = serial[:4] + b"\0\0\x60\x03" + serial[4:] + bytes(115)  # both locks among the zeros
    keep(at / "atecc608.json", json.dumps({"config": config.hex(), "keys": {}}).encode())


def keep(path: Path, content: bytes) -> None:
    """A file for its owner's eyes alone."""
    path.touch(mode=0o600)
    path.write_bytes(content)
