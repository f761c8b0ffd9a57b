"""A fleet is many units and few cohorts: units that nothing tells apart but their names.

They share their answers, their state and their place in the law, so that a fleet is counted by
its cohorts, and units are only named where one falls short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..core.device import Lifecycle, Registration
from ..core.duties import Appraisal
from ..core.verdict import Catalogue, State
from ..store import Store
from ..store.fleet import Alike, Asked, Key, Member
from .context import Context
from .units import NO_MODEL


class Told(NamedTuple):
    """One answer, about each unit or about what they stand under."""

    said: Appraisal
    kind: str
    subject: str  # empty: each unit itself
    since: int | None  # None: for each unit since another instant


class Roll:
    """Who the units are, asked sheet by sheet when somebody wants to know."""

    def __init__(self, store: Store, asked: Asked) -> None:
        self._store = store
        self._asked = asked
        self._known: dict[Key, list[Member]] = {}

    def of(self, key: Key) -> tuple[Member, ...]:
        if key not in self._known:
            self._known |= self._store.members(self._asked, key)
        return tuple(sorted(self._known.get(key, ()), key=lambda member: member.name))


@dataclass(frozen=True, slots=True)
class Cohort:
    size: int
    model: str
    lifecycle: Lifecycle
    state: State
    regimes: tuple[str, ...]
    mandatory: frozenset[str]
    failing: frozenset[str]
    subjects: Mapping[str, str]
    registration: Registration | None  # of one of them: no regime tells them apart
    answers: Mapping[str, Told]  # by duty
    key: Key
    roll: Roll

    @property
    def members(self) -> tuple[Member, ...]:
        return self.roll.of(self.key)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(member.name for member in self.members)


def cohorts(
    context: Context, catalogue: Catalogue, *, as_of: int | None = None, only: str = ""
) -> tuple[Cohort, ...]:
    """Every unit, or those of one name or model, in as few groups as the catalogue allows."""
    store = context.store
    shared: dict[tuple[str, str], dict[str, Told]] = {}
    for row in store.shared_intervals(as_of=as_of):
        told = Told(row.appraisal, row.subject_kind, row.subject, row.since)
        shared.setdefault((row.subject_kind, row.subject), {})[row.appraisal.duty] = told
    asked = Asked(as_of, only, _instants(catalogue))
    roll = Roll(store, asked)
    return tuple(_cohort(context, each, shared, roll) for each in store.alike(asked))


def _cohort(
    context: Context,
    alike: Alike,
    shared: Mapping[tuple[str, str], Mapping[str, Told]],
    roll: Roll,
) -> Cohort:
    answers = {duty: Told(said, "unit", "", None) for duty, said in alike.answers.items()}
    for subject in alike.subjects.items():
        answers.update(shared.get(subject, {}))
    return Cohort(
        alike.size,
        alike.model or NO_MODEL,
        Lifecycle(alike.lifecycle),
        alike.state or State.UNKNOWN,
        alike.regimes,
        alike.mandatory,
        alike.failing,
        alike.subjects,
        context.unit(alike.one),
        answers,
        alike.key,
        roll,
    )


def _instants(catalogue: Catalogue) -> tuple[int, ...]:
    """Every instant with which a regime compares the day on which a unit was placed."""
    found: set[int | None] = set()
    for regime in catalogue.regimes:
        found |= {regime.placed_from, regime.placed_until}
        found |= {line.placed_from for line in regime.lines}
    return tuple(sorted(each for each in found if each is not None))
