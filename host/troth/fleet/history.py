"""What the verifier saw of one key epoch itself: boots, clones, reports per hour (`v.` names).

Counted from accepted reports only: nobody without the device's own key can add to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache

from ..core.claims import ClaimsSet, DeviceClaims, Token
from ..core.device import fuse_bits
from ..core.freshness import Handle, is_overtaken
from .yardstick import Yardstick

HOUR, DAY = 3600, 86_400
# two reports of one boot that cross on their way may arrive a little out of order
UPTIME_TOLERANCE_S = 30
_NAMES = tuple(field.name for field in fields(DeviceClaims) if field.name != "declared")
_NOTHING: frozenset[str] = frozenset()


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
    hour: list[int] = field(default_factory=list)
    day: list[tuple[int, int]] = field(default_factory=list)  # instant, boot count
    shown: dict[str, frozenset[str]] = field(default_factory=dict)  # app digest -> d. names
    burned: int = 0  # every fuse that it ever said is burned
    last: int | None = None
    reported: ClaimsSet | None = None  # with the last report
    said: tuple[frozenset[str], int] = (_NOTHING, 0)  # what there is to `before` of it
    standing: Yardstick | None = None  # what it was last compared with
    taken: int = 0  # reports
    read: int = 0  # the last row of the store that it was read with

    def weigh(self, token: Token) -> tuple[int, int]:
        """Forks and regressions if this token were taken in.

        One boot of one board has one seed: another one is another board. Counters only rise: lower
        ones are an older copy of the board's memory, and so is one that was used before.
        """
        if token.boot_count == self.boot_count and token.boot_seed == self.boot_seed:
            forks = self._forks(token) if self.forks else 0  # of no boot were there two seeds
            return forks, self.regressions + self._went_back(token)
        return self._forks(token), self.regressions + (token.boot_count < self.boot_count)

    def weigh_late(self, token: Token) -> tuple[int, int]:
        """The same for what comes after newer reports: older numbers are no wonder."""
        return self._forks(token), self.regressions

    def take(self, token: Token, at: int, *, late: bool = False) -> None:
        """Take one accepted report in."""
        self.taken += 1
        self.forks, self.regressions = self.weigh_late(token) if late else self.weigh(token)
        boots = token.boot_count
        if boots != self.boot_count or late:
            self.seeds.setdefault(boots, token.boot_seed)
        if late:
            return
        if boots >= self.boot_count:
            self.boot_count, self.boot_seed = boots, token.boot_seed
            self.uptime_s = token.uptime_s
        self.place = (boots, token.counter)
        self.hour.append(at)
        if not self.day or self.day[-1][1] != boots:
            self.day.append((at, boots))
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

    def report(self, claims_set: ClaimsSet) -> None:
        """From now on it reports this set."""
        self.show(claims_set)
        self.said = self.before(claims_set)
        self.reported = claims_set

    def show(self, claims_set: ClaimsSet, *, burned: bool = True) -> None:
        """Remember what this firmware showed, and the fuses that it says are burned."""
        said, names = claims_set.claims, shown(claims_set)
        if said.app_digest is not None:
            before = self.shown.get(said.app_digest, _NOTHING)
            self.shown[said.app_digest] = names if before <= names else before | names
        if said.fuses is not None and burned:
            self.burned |= fuse_bits(said.fuses)
        self.reported = None

    def before(self, claims_set: ClaimsSet) -> tuple[frozenset[str], int]:
        """The `d.` names that this firmware showed before, and how many of the fuses that were
        burned by its own word are not any more.
        """
        if claims_set is self.reported:
            return self.said
        said = claims_set.claims
        burned = self.burned & ~fuse_bits(said.fuses) if self.burned and said.fuses else 0
        return self.shown.get(said.app_digest or "", _NOTHING), burned.bit_count()

    def reports_per_h(self, now: int) -> int:
        hour, over = self.hour, 0
        while over < len(hour) and hour[over] <= now - HOUR:
            over += 1
        if over:
            del hour[:over]
        return len(hour)

    def boots_24h(self, now: int, boot_count: int | None = None) -> int:
        """Boots that the counter shows over the last day, reported or not."""
        day = self.day
        while len(day) > 1 and day[1][0] <= now - DAY:
            del day[0]
        if len(day) == 1 and (boot_count is None or boot_count == day[0][1]):
            return 0
        counts = [count for _, count in day]
        if boot_count is not None:
            counts.append(boot_count)
        return max(counts) - min(counts) if counts else 0


@lru_cache(maxsize=4096)
def shown(claims_set: ClaimsSet) -> frozenset[str]:
    """The `d.` names of which a board itself says something; a declaration may be taken back."""
    said = claims_set.claims
    known = (f"d.{name}" for name in _NAMES if getattr(said, name) is not None)
    return frozenset(known) - said.declared
