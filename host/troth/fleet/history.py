"""What the verifier saw of one key epoch itself: boots, clones, reports per hour (`v.` names).

Counted from accepted reports only: nobody without the device's own key can add to it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ..core.claims import ClaimsSet, Token
from ..core.device import fuse_bits
from ..core.freshness import Handle, is_overtaken

HOUR, DAY = 3600, 86_400
# two reports of one boot that cross on their way may arrive a little out of order
UPTIME_TOLERANCE_S = 30


@dataclass(slots=True)
class History:
    """A running account of one device under one key, report after report."""

    forks: int = 0
    regressions: int = 0
    boot_count: int = -1  # highest so far
    boot_seed: bytes = b""  # of that boot
    uptime_s: int = 0
    place: tuple[int, int | None] | None = None  # boot and counter of the last report
    seeds: dict[int, bytes] = field(default_factory=dict)  # first seed of each boot
    hour: deque[int] = field(default_factory=deque)
    day: deque[tuple[int, int]] = field(default_factory=deque)  # instant, boot count
    shown: dict[str, frozenset[str]] = field(default_factory=dict)  # app digest -> d. names
    burned: int = 0  # every fuse that it ever said is burned
    last: int | None = None
    reported: ClaimsSet | None = None  # with the last report
    taken: int = 0  # reports
    read: int = 0  # the last row of the store that it was read with

    def weigh(self, token: Token) -> tuple[int, int]:
        """Forks and regressions if this token were taken in.

        One boot of one board has one seed: another one is another board. Counters only rise: lower
        ones are an older copy of the board's memory, and so is one that was used before.
        """
        forks = self._forks(token)
        if token.boot_count < self.boot_count:
            return forks, self.regressions + 1
        same_boot = token.boot_count == self.boot_count and token.boot_seed == self.boot_seed
        return forks, self.regressions + (same_boot and self._went_back(token))

    def weigh_late(self, token: Token) -> tuple[int, int]:
        """The same for what comes after newer reports: older numbers are no wonder."""
        return self._forks(token), self.regressions

    def take(self, token: Token, at: int, *, late: bool = False) -> None:
        """Take one accepted report in."""
        self.taken += 1
        self.forks, self.regressions = self.weigh_late(token) if late else self.weigh(token)
        self.seeds.setdefault(token.boot_count, token.boot_seed)
        if late:
            return
        if token.boot_count >= self.boot_count:
            self.boot_count, self.boot_seed = token.boot_count, token.boot_seed
            self.uptime_s = token.uptime_s
        self.place = (token.boot_count, token.counter)
        self.hour.append(at)
        if not self.day or self.day[-1][1] != token.boot_count:
            self.day.append((at, token.boot_count))
        self.last = at if self.last is None else max(at, self.last)

    def is_overtaken(self, token: Token, handle: Handle) -> bool:
        """Is the last report that counted newer than this answer to a handle?"""
        if self.place is None or self.last is None:
            return False
        return is_overtaken(token, handle, self.last, *self.place)

    def _forks(self, token: Token) -> int:
        return self.forks + (self.seeds.get(token.boot_count, token.boot_seed) != token.boot_seed)

    def _went_back(self, token: Token) -> bool:
        uptime = token.uptime_s
        if uptime + UPTIME_TOLERANCE_S < self.uptime_s:
            return True
        last = self.place[1] if self.place else None
        if last is None or token.counter is None:
            return False
        later = uptime > self.uptime_s + UPTIME_TOLERANCE_S
        return token.counter == last or (token.counter < last and later)

    def show(self, app_digest: str | None, names: frozenset[str]) -> None:
        """Remember what this firmware showed."""
        if app_digest is not None:
            before = self.shown.get(app_digest, frozenset())
            self.shown[app_digest] = names if before <= names else before | names

    def burn(self, fuses: str | None) -> None:
        """Remember the fuses that a report says are burned."""
        if fuses is not None:
            self.burned |= fuse_bits(fuses)

    def unburned(self, fuses: str | None) -> int:
        """Count the fuses that were burned by its own word and are not any more."""
        return (self.burned & ~fuse_bits(fuses)).bit_count() if self.burned and fuses else 0

    def reports_per_h(self, now: int) -> int:
        while self.hour and self.hour[0] <= now - HOUR:
            self.hour.popleft()
        return len(self.hour)

    def boots_24h(self, now: int, boot_count: int | None = None) -> int:
        """Boots that the counter shows over the last day, reported or not."""
        while len(self.day) > 1 and self.day[1][0] <= now - DAY:
            self.day.popleft()
        if len(self.day) == 1 and boot_count in (None, self.day[0][1]):
            return 0
        counts = [count for _, count in self.day]
        if boot_count is not None:
            counts.append(boot_count)
        return max(counts) - min(counts) if counts else 0
