"""Who the units of a report are, in bands of those that were told the same all along."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..fleet.cohorts import Cohort
from ..fleet.words import iso, plain
from ..store.told import Began, Stay

moment = lru_cache(maxsize=65_536)(iso)
words = lru_cache(maxsize=4096)(plain)
MOST = 12  # names in one place
_NEVER = Stay((), (), {})
_LATEST = Began(-1, -1)


class Held(NamedTuple):
    """One unit, and since when and by which report it was told each sheet that it held."""

    name: str  # as a reader sees it
    id: str
    since: tuple[int, ...]
    evidence: tuple[int | None, ...]


class Span(NamedTuple):
    """Many units as they are told to a reader: counted, and the first few of them named."""

    size: int
    names: tuple[str, ...]
    since: tuple[str, str]  # the first and the last
    proofs: tuple[tuple[str, str], ...]  # units by name, with their evidence
    proven: int

    def join(self, other: Span) -> Span:
        return Span(
            self.size + other.size,
            tuple(sorted(self.names + other.names)[:MOST]),
            (min(self.since[0], other.since[0]), max(self.since[1], other.since[1])),
            tuple(sorted(self.proofs + other.proofs)[:MOST]),
            self.proven + other.proven,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Units of one cohort that held the same sheets, by name."""

    began: Mapping[str, Began]  # by duty
    units: tuple[Held, ...]
    spans: dict[Began, Span] = field(default_factory=dict)

    def place(self, duty: str) -> Began:
        return self.began.get(duty, _LATEST)

    def span(self, duty: str) -> Span:
        began = self.place(duty)
        if began not in self.spans:
            self.spans[began] = self._span(began)
        return self.spans[began]

    def _span(self, began: Began) -> Span:
        since = [unit.since[began.since] for unit in self.units]
        told = [
            (unit.name, str(proof)) for unit in self.units if (proof := unit.evidence[began.told])
        ]
        return Span(
            len(self.units),
            tuple(unit.name for unit in self.units[:MOST]),
            (moment(min(since)), moment(max(since))),
            tuple(told[:MOST]),
            len(told),
        )


def bands(cohort: Cohort, stays: Mapping[str, Stay]) -> tuple[Band, ...]:
    found: dict[int, tuple[Mapping[str, Began], list[Held]]] = {}
    for member in cohort.members:
        stay = stays.get(member.id, _NEVER)
        _, units = found.setdefault(id(stay.began), (stay.began, []))
        units.append(Held(plain(member.name), member.id, stay.since, stay.evidence))
    return tuple(Band(began, tuple(units)) for began, units in found.values())


def names(roll: Iterable[tuple[Cohort, tuple[Band, ...]]]) -> tuple[str, ...]:
    return tuple(sorted(unit.name for _, ours in roll for band in ours for unit in band.units))
