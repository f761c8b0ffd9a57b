"""Every way a message can end: a closed set of values, and the refusals that spend nothing."""

from __future__ import annotations

from typing import NamedTuple

from ..core.errors import Rejected
from ..core.freshness import Challenge
from ..core.verdict import Verdict


class Waiting(NamedTuple):
    """The signature holds, the claims-set is not known here: send the bundle. Nothing is spent."""

    challenge: Challenge
    device: str
    wanted: bytes  # SHA-256 of the set


class Judged(NamedTuple):
    """A device gave its word and it is on record."""

    challenge: Challenge
    device: str
    evidence: int
    verdict: Verdict
    ear: str


class TurnedAway(NamedTuple):
    """Refused: it says nothing about any device. On record, the challenge is spent."""

    challenge: Challenge
    device: str | None  # whose key it names, when it is one of ours
    rejection: int
    why: Rejected
    ear: str


class Repeated(NamedTuple):
    """The very same bytes as before: the very same answer, nothing new on record."""

    challenge: Challenge
    ear: str


class Kept(NamedTuple):
    """A device's word that came late: history, and it changes nothing that is newer."""

    challenge: Challenge
    device: str
    evidence: int
    ear: str = ""  # a result would be about now


Outcome = Waiting | Judged | TurnedAway | Repeated | Kept


class NotTaken(Exception):
    """The message was not taken in; the challenge, if there is one, is as it was."""

    def __init__(self, code: str, text: str, *, path: str = "", offset: int | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.path = path
        self.offset = offset


class Filed(NotTaken):
    """Refused, though an enrolled key signed it; on record. There was no challenge to spend."""

    def __init__(self, device: str | None, why: Rejected) -> None:
        super().__init__(why.code, why.text, path=why.path, offset=why.offset)
        self.device = device


class NoSession(NotTaken):
    """`nonce.unknown` or `nonce.expired`: there is no such open session."""


class SessionSpent(NotTaken):
    """`nonce.spent`: other bytes were here first."""


class BadEnvelope(NotTaken):
    """The bytes are no evidence of ours at all; anybody could have sent them."""
