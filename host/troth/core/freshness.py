"""Is it an answer to our own open challenge? (RFC 9334 section 10, RFC 9711 section 4.1)"""

from __future__ import annotations

from dataclasses import dataclass

from .claims import Token


@dataclass(frozen=True, slots=True)
class Challenge:
    """A random nonce that we drew, good until it expires or is spent, whichever comes first."""

    session: str
    nonce: bytes
    issued: int  # unix s
    expires: int  # unix s
    spent: bool = False


def check_freshness(token: Token, challenge: Challenge, *, now: int) -> None:
    """Raise Stale (`nonce.expired`) or Replayed (`nonce.replayed`, `nonce.spent`)."""
    raise NotImplementedError
