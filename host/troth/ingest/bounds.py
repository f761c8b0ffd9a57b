"""How much one source may begin: a token bucket each, so that a flood costs its sender and not us.

It bounds what costs work or disk before anybody is known: opening sessions, and posting without
one. Who is told to wait has lost nothing, and it is never held against a device.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from time import monotonic

PER_S = 200.0  # a fleet of 180,000 behind one address that reports every 15 minutes
BURST = 2000.0
_MOST = 10_000  # sources; the longest silent is forgotten first


class Bounds:
    """Of one event loop."""

    def __init__(
        self,
        *,
        per_s: float = PER_S,
        burst: float = BURST,
        most: int = _MOST,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._most = most
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def admit(self, source: str) -> bool:
        """Take one token of this source; False: there is none."""
        now = self._clock()
        left, since = self._left.pop(source, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_s)
        admitted = left >= 1
        if len(self._left) >= self._most:
            del self._left[next(iter(self._left))]
        self._left[source] = (left - admitted, now)
        return admitted


def source_of(client: tuple[str, int] | None) -> str | None:
    """Who is bounded: an address, of IPv6 the network; None: this machine itself.

    A proxy on this machine hides who asks, so it must bound them itself.
    """
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return None  # a socket of this machine has no address
    if address is None or address.is_loopback:
        return None
    if address.version == 6:
        mapped = address.ipv4_mapped
        if mapped is None:
            return address.exploded[:19]
        return None if mapped.is_loopback else str(mapped)
    return str(address)
