"""Challenges: random, single-use, and spelled so that every peer reads them (WIRE trap 2)."""

from __future__ import annotations

import os
from base64 import b64encode
from threading import Lock

from ..core.freshness import Challenge

NONCE_BYTES = 32
_SESSION_BYTES = 16
_POOL_BYTES = 4096
_UNLIKE = frozenset(b"+/")  # base64 and base64url spell all other digits alike


class _Pool:
    """The system's randomness, fetched by the page: each byte is given out once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._left = b""

    def take(self, count: int) -> bytes:
        with self._lock:
            if len(self._left) < count:
                self._left = os.urandom(_POOL_BYTES)
            given, self._left = self._left[:count], self._left[count:]
        return given

    def drain(self) -> None:
        """A child process must not give out what its parent will."""
        self._lock = Lock()
        self._left = b""


_pool = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.drain)


def draw_nonce() -> bytes:
    """32 random bytes whose base64 and base64url are the same text; costs about two bits."""
    while True:
        nonce = _pool.take(NONCE_BYTES)
        if _UNLIKE.isdisjoint(b64encode(nonce)):
            return nonce


def draw_challenge(*, now: int, ttl_s: int, ueid: bytes | None = None) -> Challenge:
    """A challenge under a session name that nobody can guess, for this device alone if named."""
    session = _pool.take(_SESSION_BYTES).hex()
    return Challenge(session, draw_nonce(), issued=now, expires=now + ttl_s, ueid=ueid)
