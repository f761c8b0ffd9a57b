"""Findings by the answers that they share: a fleet of any size has few of these.

Each unit's own finding is made when it is asked for, and forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import attrgetter
from typing import Protocol

from ..core.duties import Outcome
from ..fleet.words import SEVERITIES
from ..store.told import Words
from .findings import STALE, Finding, Said
from .roll import Band, Span, moment, words

_SHORT = (Outcome.NOT_MET, Outcome.ERROR, STALE, Outcome.NOT_SHOWN, Outcome.WAIVED)


class Group(Protocol):
    """One answer, and all to whom it was given."""

    @property
    def said(self) -> Said: ...

    @property
    def size(self) -> int:
        """How many findings it makes."""

    def __iter__(self) -> Iterator[Finding]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """About what units stand under: one finding, however many they are."""

    finding: Finding
    size: int = 1

    @property
    def said(self) -> Said:
        return self.finding.said

    def __iter__(self) -> Iterator[Finding]:
        yield self.finding


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """About each unit itself, in the same words."""

    said: Said
    because: str
    remedy: str
    bands: tuple[Band, ...]

    @property
    def size(self) -> int:
        return sum(len(band.units) for band in self.bands)

    def span(self) -> Span:
        first, *others = (band.span(self.said.duty.id) for band in self.bands)
        return reduce(Span.join, others, first)

    def __iter__(self) -> Iterator[Finding]:
        for band in self.bands:
            told, since = band.place(self.said.duty.id)
            for unit in band.units:
                yield Finding(
                    self.said,
                    unit.name,
                    (unit.name,),
                    self.because,
                    self.remedy,
                    moment(unit.since[since]),
                    str(unit.evidence[told] or ""),
                )


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """About each unit itself, in words that may tell values of its own reports."""

    said: Said
    bands: tuple[Band, ...]
    told: Callable[[str], Mapping[str, Words]]  # of a duty, by device id
    fails: Mapping[tuple[str, str, str], int]

    @property
    def size(self) -> int:
        return sum(len(band.units) for band in self.bands)

    def __iter__(self) -> Iterator[Finding]:
        duty = self.said.duty.id
        told = self.told(duty)
        for band in self.bands:
            first = band.place(duty).told
            for unit in band.units:
                said = told.get(unit.id) or Words("", "", unit.evidence[first], unit.since[first])
                yield Finding(
                    self.said,
                    unit.name,
                    (unit.name,),
                    words(said.because, 400),
                    words(said.remedy, 400),
                    moment(self.fails.get(("unit", unit.id, duty), said.since)),
                    str(said.evidence or ""),
                )


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """All of them in the order of a report, made anew whenever they are gone through."""

    rows: tuple[tuple[Group, ...], ...]  # of each, findings follow one another by subject

    @classmethod
    def of(cls, groups: Iterable[Group]) -> Findings:
        rows: dict[tuple[object, ...], list[Group]] = {}
        for group in groups:
            rows.setdefault(_order(group.said), []).append(group)
        return cls(tuple(tuple(rows[key]) for key in sorted(rows)))

    @property
    def groups(self) -> Iterator[Group]:
        return chain.from_iterable(self.rows)

    def only(self, wanted: Callable[[Said], bool]) -> Findings:
        rows = (tuple(group for group in row if wanted(group.said)) for row in self.rows)
        return Findings(tuple(row for row in rows if row))

    def __len__(self) -> int:
        return sum(group.size for group in self.groups)

    def __iter__(self) -> Iterator[Finding]:
        for row in self.rows:
            yield from by_subject(row)


def by_subject(row: Sequence[Group]) -> list[Finding]:
    return sorted(chain.from_iterable(row), key=attrgetter("subject"))


def _order(said: Said) -> tuple[object, ...]:
    """Breaches first, then what falls short, by severity."""
    at = _SHORT.index(said.outcome) if said.outcome in _SHORT else len(_SHORT)
    return (not said.is_breach, at, SEVERITIES.index(said.duty.severity), said.duty.id, said.kind)
