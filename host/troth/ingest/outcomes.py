"""Every way a message can end: a closed set of values, and the refusals that spend nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import Rejected
from ..core.freshness import Challenge
from ..core.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Waiting:
    """The signature holds, the claims-set is not known here: send the bundle. Nothing is spent."""

    challenge: Challenge
    device: str
    wanted: bytes  # SHA-256 of the set


@dataclass(frozen=True, slots=True)
class Judged:
    """A device gave its word and it is on record."""

    challenge: Challenge
    device: str
    evidence: int
    verdict: Verdict
    ear: str


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Refused: it says nothing about any device. On record, the challenge is spent."""

    challenge: Challenge
    device: str | None  # whose key it names, when it is one of ours
    rejection: int
    why: Rejected
    ear: str


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same bytes as before: the very same answer, nothing new on record."""

    challenge: Challenge
    ear: str


Outcome = Waiting | Judged | TurnedAway | Repeated


class NotTaken(Exception):
    """The message was not taken in; the challenge, if there is one, is as it was."""

    def __init__(self, code: str, text: str, *, path: str = "", offset: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.path = path
        self.offset = offset


class NoSession(NotTaken):
    """`nonce.unknown` or `nonce.expired`: there is no such open session."""


class SessionSpent(NotTaken):
    """`nonce.spent`: other bytes were here first."""


class BadEnvelope(NotTaken):
    """The bytes are no evidence of ours at all; anybody could have sent them."""
