"""Which of a board's reports are not on record, by the counter that each of them has.

A gap is not shown, and no breach: such a report was lost on its way, refused, made room in the
spool of a board that was away, or is still to come. What comes late fills it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..core.errors import Malformed
from ..core.evidence import parse_evidence
from ..formats import cbor, eat
from ..store import Store
from ..store.rows import Counted
from .words import count

WINDOW = 500  # of the newest reports


@dataclass(frozen=True, slots=True)
class Gap:
    """Counters of one boot, from first to last, that no report on record has."""

    boot: int
    first: int
    last: int
    before: int  # when the next report after them came

    @property
    def reports(self) -> int:
        return self.last - self.first + 1

    @property
    def words(self) -> str:
        counters = f"counter {self.first}" + (f" to {self.last}" if self.reports > 1 else "")
        return f"boot {self.boot}, {counters}"


@dataclass(frozen=True, slots=True)
class Missing:
    """What a board signed and nobody here has seen."""

    gaps: tuple[Gap, ...] = ()  # newest first
    dropped: int = 0  # of which it says itself that they made room in its spool

    @property
    def reports(self) -> int:
        return sum(gap.reports for gap in self.gaps)

    @property
    def sentence(self) -> str:
        """What a person should make of it."""
        said = f"Signed by the board and not on record: {count(self.reports, 'report')}."
        if self.dropped:
            said += f" By its own word {self.dropped} made room in its spool."
        return said + " Not shown is no breach; what comes late fills the gap."


def missing(store: Store, device: str, *, until: int) -> Missing:
    """What its newest reports leave out."""
    rows = [row for row in store.counted(device, limit=WINDOW) if row.received <= until]
    boots = groupby(sorted(rows), key=lambda row: row[:3])
    gaps = [gap for at, (_, boot) in enumerate(boots) for gap in _gaps(list(boot), whole=at > 0)]
    return Missing(tuple(reversed(gaps)), sum(_dropped(row.raw) for row in rows))


def _gaps(boot: list[Counted], *, whole: bool) -> Iterator[Gap]:
    """Of one boot, in order; of the oldest one nobody here knows how it began."""
    last = 0 if whole else boot[0].counter
    for row in boot:
        if row.counter > last + 1:
            yield Gap(row.boot, last + 1, row.counter - 1, row.received)
        last = row.counter


_LABEL = b"\x3a\x00\x01\x38\x83"


def _dropped(raw: bytes) -> int:
    """What the token says of the spool; most have no such claim, and are not taken apart."""
    if _LABEL not in raw:
        return 0
    try:
        said = cbor.read(parse_evidence(raw).payload, path="claims")
    except Malformed:
        return 0
    told = said.get(eat.DROPPED) if type(said) is dict else None
    return told if type(told) is int else 0
