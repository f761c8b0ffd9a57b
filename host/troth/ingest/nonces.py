"""Challenges: random, single-use, and spelled so that every peer reads them (WIRE trap 2)."""

from __future__ import annotations

import secrets
from base64 import b64encode

from ..core.freshness import Challenge

NONCE_BYTES = 32
_DRAWN = 8
_UNLIKE = frozenset(b"+/")  # base64 and base64url spell all other digits alike


def draw_nonce() -> bytes:
    """32 random bytes whose base64 and base64url are the same text; costs about two bits."""
    while True:
        many = secrets.token_bytes(NONCE_BYTES * _DRAWN)  # one system call for several draws
        for start in range(0, len(many), NONCE_BYTES):
            nonce = many[start : start + NONCE_BYTES]
            if _UNLIKE.isdisjoint(b64encode(nonce)):
                return nonce


def draw_challenge(*, now: int, ttl_s: int) -> Challenge:
    """A challenge under a session name that nobody can guess."""
    return Challenge(secrets.token_hex(16), draw_nonce(), issued=now, expires=now + ttl_s)
