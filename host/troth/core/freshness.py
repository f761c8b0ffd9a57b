"""Is it an answer to a challenge of ours? (RFC 9334 section 10, RFC 9711 section 4.1)

A challenge of its own is answered once. An epoch handle (RFC 9334 section 10.3) is everybody's
challenge for a while: its answers are as fresh as the handle, and what answers an old one is
history.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .claims import Token
from .errors import Malformed, Replayed, Stale

CLOCK_STEP_S = 60  # by how much our own clock may be set back between issue and answer
LATE_S = 30 * 86_400  # for so long after its handle expired a report is still history


class Freshness(StrEnum):
    """What bounds the instant at which a report was given."""

    CHALLENGE = "challenge"  # of its own: just now
    EPOCH = "epoch"  # a handle that is good: since it was issued
    LATE = "late"  # an old handle, or a newer report came before: history only


@dataclass(frozen=True, slots=True)
class Handle:
    """An epoch handle: what whoever reports without a challenge of its own answers."""

    nonce: bytes
    issued: int  # unix s
    expires: int  # unix s: the end of its period and of the grace after it

    @property
    def forgotten(self) -> int:
        """From then on it is none of ours."""
        return self.expires + LATE_S


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


def check_handle(token: Token, handle: Handle, *, now: int) -> Freshness:
    """EPOCH or LATE. Raises Malformed (`claim.missing`) or Stale (`nonce.expired`)."""
    if token.counter is None:
        # without it one answer could not be told from another, and nothing would count once
        raise Malformed("claim.missing", "an answer to a handle counts", path="claims/counter")
    if not handle.issued - CLOCK_STEP_S <= now < handle.forgotten:
        raise Stale("nonce.expired", "this handle is not of this month", path="claims/nonce")
    return Freshness.EPOCH if now < handle.expires else Freshness.LATE


def is_overtaken(
    token: Token, handle: Handle | None, received: int, boot_count: int, counter: int | None
) -> bool:
    """Was it given before the report that was received then, with that boot and counter?

    What answers a handle that was issued later was given later, whatever it counts: a board whose
    memory was erased counts anew.
    """
    if handle is None or received < handle.issued:
        return False
    mine = -1 if token.counter is None else token.counter
    return (token.boot_count, mine) <= (boot_count, -1 if counter is None else counter)
