"""Is it an answer to our own open challenge? (RFC 9334 section 10, RFC 9711 section 4.1)"""

from __future__ import annotations

from dataclasses import dataclass

from .claims import Token
from .errors import Replayed, Stale

CLOCK_STEP_S = 60  # by how much our own clock may be set back between issue and answer


@dataclass(frozen=True, slots=True)
class Challenge:
    """A random nonce that we drew, good until it expires or is spent, whichever comes first.

    `ueid` is the device that it was drawn for, when whoever opened the session named one: another
    device's word cannot answer it.
    """

    session: str
    nonce: bytes
    issued: int  # unix s
    expires: int  # unix s
    spent: bool = False
    ueid: bytes | None = None


def check_freshness(token: Token, challenge: Challenge, *, now: int) -> None:
    """Raise Stale (`nonce.expired`) or Replayed (`nonce.replayed`, `nonce.spent`)."""
    if token.nonce != challenge.nonce:
        raise Replayed("nonce.replayed", "answers another challenge", path="claims/nonce")
    if challenge.ueid is not None and token.ueid != challenge.ueid:
        raise Replayed("nonce.replayed", "drawn for another device", path="claims/ueid")
    if challenge.spent:
        raise Replayed("nonce.spent", "this challenge was answered before", path="claims/nonce")
    # not before it was issued either: a clock set back must not prolong a challenge's life
    if not challenge.issued - CLOCK_STEP_S <= now < challenge.expires:
        raise Stale("nonce.expired", "this challenge is no longer open", path="claims/nonce")
