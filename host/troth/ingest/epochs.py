"""Epoch handles: everybody's challenge for a while (WIRE 2.8), published by whoever is asked first.

A handle is on disk before anybody hears of it, so it survives a restart, and the processes of one
store publish the same.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import cbor2

from ..core.freshness import CLOCK_STEP_S, Handle
from ..store import Store
from .nonces import draw_nonce

EPOCH_S = 900
_KEPT = 10_000  # a month of five-minute handles


class Epochs:
    """Safe to use from several threads."""

    def __init__(self, store: Store, clock: Callable[[], int], *, period_s: int = EPOCH_S) -> None:
        self._store = store
        self._clock = clock
        self._period_s = period_s
        self._lock = Lock()
        self._now: Handle | None = None
        self._known: dict[bytes, Handle] = {}

    def standing(self) -> Handle | None:
        """The handle of now, if it is at hand; else `current` waits for the disk."""
        held, now = self._now, self._clock()
        if held is None or not -CLOCK_STEP_S <= now - held.issued < self._period_s:
            return None
        return held

    def current(self) -> Handle:
        """The handle of now. Raises StoreUnavailable."""
        with self._lock:
            held = self.standing()
            if held is None:
                now = self._clock()
                # good for its own period, and while the next one makes its way
                made = Handle(draw_nonce(), now, now + 2 * self._period_s)
                held = self._now = self._store.publish(made, period_s=self._period_s)
            return held

    def find(self, nonce: bytes) -> Handle | None:
        """The handle of ours that a token answers, good or old."""
        known = self._known.get(nonce)
        if known is None:
            known = self._store.handle(nonce)
            if known is not None:
                if len(self._known) >= _KEPT:
                    self._known.clear()
                self._known[nonce] = known
        return known


def published(handle: Handle) -> bytes:
    """A handle as boards read it (troth.cddl, epoch)."""
    return cbor2.dumps({4: handle.expires, 6: handle.issued, 10: handle.nonce})
