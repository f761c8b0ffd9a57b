"""Which session is still open, and what a second message to a closed one is told."""

from __future__ import annotations

from ..core.freshness import Challenge
from ..store import Spent
from .outcomes import NoSession, Repeated, SessionSpent


class Sessions:
    """Open challenges in memory: a copy that may be lost, the store has them all."""

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._kept: dict[str, Challenge] = {}

    def add(self, challenge: Challenge) -> None:
        if len(self._kept) >= self._most:
            self._kept.clear()
        self._kept[challenge.session] = challenge

    def get(self, session: str) -> Challenge | None:
        return self._kept.get(session)

    def drop(self, session: str) -> bool:
        return self._kept.pop(session, None) is not None


def again(challenge: Challenge, spent: Spent, digest: bytes) -> Repeated:
    """The same answer for the same bytes: a lost reply is no fault. Raises SessionSpent."""
    if spent.spent_by is None:
        raise NoSession("nonce.unknown", "the session is gone")
    if spent.spent_by != digest or spent.answer is None:
        raise SessionSpent("nonce.spent", "this session was answered by another message")
    return Repeated(challenge, spent.answer)
