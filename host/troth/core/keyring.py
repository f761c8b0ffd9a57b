"""Which MAC key a board's fuse holds: derived from one master secret, never kept (RFC 5869).

A board with the HMAC peripheral cannot read its own key, so no thumbprint names it: its key id is
made from a MAC under the key itself, which board and verifier compute alike.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MASTER_BYTES = 32
_SALT = b"troth/efuse-hmac/1"
_NAMES = b"troth/kid/1"


class KeyRing:
    """Every board's MAC key by its MAC address; the master is read when one is first needed."""

    def __init__(self, master: Callable[[], bytes]) -> None:
        self._read = master
        self._master: bytes | None = None

    def secret(self, mac: bytes) -> bytes:
        """The 32 bytes in this board's fuse. Raises what reading the master raises."""
        if self._master is None:
            self._master = self._read()
        return HKDF(SHA256(), length=32, salt=_SALT, info=mac).derive(self._master)


def mac_key_id(secret: bytes) -> bytes:
    """What names a MAC key in the protected header; it tells nothing of the key."""
    return hmac.digest(secret, _NAMES, "sha256")[:8]
