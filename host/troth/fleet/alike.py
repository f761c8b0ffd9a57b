"""Judging everybody by judging one of each kind: the others of its kind follow it.

What every report moves stands beside a kind, and the clock goes on counting it down: how old the
last report is, how many came within the hour. The rules over that are asked again for whatever it
may be now. Who is told something else by them leads a following of its own; who has an approval or
a waiver of its own, or a past that is not all in its head, is judged apart. So everybody is told
what it would have been told alone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import NamedTuple

from ..core.duties import Appraisal, Facts, Subject
from ..core.verdict import Verdict
from ..store import Flock, Head, Member, Standing, Told
from .context import Context
from .history import DAY, HOUR
from .judging import Judge
from .owners import owners

_AT_ONCE = 5000  # units under one commit
_APART = 500  # that are written one by one
_MOST_VALUES = 64  # that a count may have by now, for all that its unit's head tells
_MOST_SAID = 200_000


@dataclass(slots=True)
class _Ruling:
    """What one of a kind is told, and what stands written of it from then on."""

    facts: Facts
    verdict: Verdict
    before: Told
    after: Told | None = None  # None: it did not come to be written as it was judged
    kind: bytes = b""
    changed: str = ""
    in_own_words: bool = False  # each is told values of its own reports: nobody can follow


class _Said(NamedTuple):
    ruling: _Ruling
    until: int | None


@dataclass(slots=True)
class _Kind:
    standing: Standing
    rulings: list[_Ruling] = field(default_factory=list)


@dataclass(slots=True)
class Round:
    """One re-appraisal at one instant, by the records as they are then."""

    context: Context
    judge: Judge
    now: int
    generation: int = -1
    own: dict[str, Hashable] = field(default_factory=dict)
    kinds: dict[Hashable, _Kind] = field(default_factory=dict)
    said: dict[Hashable, _Said | None] = field(default_factory=dict)

    def run(self, devices: Iterable[str] | None = None) -> int:
        """Judge these, or everybody; returns how many turned."""
        return sum(self._handful(heads) for heads in _handfuls(self.context, devices))

    def _handful(self, heads: list[Head]) -> int:
        turned = self._try(heads)
        while turned is None:  # the records changed under our hands
            turned = self._try(self.context.store.heads_of([head.device for head in heads]))
        return turned

    def _begin(self) -> None:
        generation = self.context.refresh()
        if generation != self.generation:
            self.own = owners(self.context.store, self.context.policy, self.now)
            self.kinds.clear()
            self.said.clear()
        if len(self.said) > _MOST_SAID:
            self.said.clear()
        self.generation = generation

    def _try(self, heads: list[Head]) -> int | None:
        self._begin()
        standings = self._standings(heads)
        firsts: list[tuple[Head, _Ruling]] = []
        following: list[tuple[Head, _Said]] = []
        apart: list[str] = []
        for head in heads:
            said = self._say(head, standings.get(head.device))
            if said is None:
                apart.append(head.device)
            elif said.ruling.kind or said.ruling.verdict.device != head.device:
                following.append((head, said))
            else:
                firsts.append((head, said.ruling))
        turned = self._lead(firsts)
        flocks, others = _flocks(following)
        followed = self._follow([*_learned(firsts), *flocks])
        if followed is None:
            return None
        return turned + followed + self._apart([*apart, *others])

    def _standings(self, heads: list[Head]) -> dict[str, Standing]:
        """Of those whose kind is unknown, and of one of each that was not met yet."""
        asked: dict[Hashable, str] = {}
        for head in heads:
            if head.kind is None:
                if head.forks is not None:
                    asked[head.device] = head.device
            else:
                key = head.kind, self.own.get(head.device)
                if key not in self.kinds:
                    asked.setdefault(key, head.device)
        return self.context.store.standings(list(asked.values())) if asked else {}

    def _say(self, head: Head, standing: Standing | None) -> _Said | None:
        """What a unit is told as one of its kind; None: it is judged apart."""
        kind = head.kind or (standing.kind if standing else None)
        reports = head.reports if head.seen > self.now - HOUR else 0
        boots = head.boots if head.seen > self.now - DAY else 0
        key = kind, self.own.get(head.device)
        values = *key, head.given, head.skew, reports, boots
        try:
            return self.said[values]
        except KeyError:
            pass
        found = None
        if kind is not None and reports is not None and boots is not None:
            if key not in self.kinds and standing is not None and standing.kind == kind:
                self.kinds[key] = _Kind(standing)
            known = self.kinds.get(key)
            if known is not None and None not in known.standing.told[:2]:
                found = self._judged(known, head, reports, boots)
        self.said[values] = found
        return found

    def _judged(self, kind: _Kind, head: Head, reports: int, boots: int) -> _Said | None:
        for ruling in kind.rulings:
            said = self._agrees(ruling, head, reports, boots)
            if said is not None:
                return said
        facts = self.context.standing_facts(head.device, now=self.now)
        if facts is None:
            return None
        ruling = _Ruling(facts, self.judge.judge(facts), kind.standing.told)
        said = self._agrees(ruling, head, reports, boots)
        if said is not None:
            kind.rulings.append(ruling)
        return said

    def _agrees(self, ruling: _Ruling, head: Head, reports: int, boots: int) -> _Said | None:
        """Is a unit told the same, whatever has become of what its head counts?"""
        hourly = range(1, reports + 1) if reports else (0,)
        daily = range(boots + 1)
        if len(hourly) * len(daily) > _MOST_VALUES:
            return None
        ends: set[int | None] = set()
        for in_hour, in_day in product(hourly, daily):
            seen = ruling.facts.v._replace(
                last_evidence=head.given,
                skew_s=head.skew,
                reconnects_per_h=in_hour,
                boots_24h=in_day,
            )
            verdict = self.judge.still(ruling.facts._replace(v=seen))
            if verdict is None or verdict.appraisals is not ruling.verdict.appraisals:
                return None
            ends.add(verdict.until)
        return _Said(ruling, ends.pop()) if len(ends) == 1 else None

    def _lead(self, firsts: Sequence[tuple[Head, _Ruling]]) -> int:
        """Write what the first of each kind is told, and see what came of it."""
        if not firsts:
            return 0
        store, subjects = self.context.store, self.context.subjects
        turns = [(head.device, each.verdict, subjects(each.facts)) for head, each in firsts]
        done = store.turn_all(turns, at=self.now, references=self.generation)
        devices = [head.device for head, _ in firsts]
        standings = store.standings(devices)
        evidence = {head.device: head.evidence for head in store.heads_of(devices)}
        for (head, ruling), turned in zip(firsts, done, strict=True):
            standing = standings[head.device]
            ruling.kind = standing.kind
            if evidence[head.device] == head.evidence:
                ruling.after = standing.told
            units = {said.duty: said for said in ruling.verdict.appraisals if _is_own(said)}
            changed = [units[duty] for duty in turned.changed if duty in units]
            ruling.in_own_words = any(said.live for said in changed)
            ruling.changed = " ".join(said.duty for said in changed)
        return sum(turned.moved for turned in done)

    def _follow(self, flocks: Sequence[Flock]) -> int | None:
        if not flocks:
            return 0
        return self.context.store.follow(flocks, at=self.now, references=self.generation)

    def _apart(self, devices: Sequence[str]) -> int:
        store, turned, left = self.context.store, 0, iter(devices)
        while some := list(islice(left, _APART)):
            judged = [(each, self.context.standing_facts(each, now=self.now)) for each in some]
            turns = [
                (device, self.judge.judge(facts), self.context.subjects(facts))
                for device, facts in judged
                if facts is not None
            ]
            done = store.turn_all(turns, at=self.now, references=self.generation)
            turned += sum(each.moved for each in done)
        return turned


def _handfuls(context: Context, devices: Iterable[str] | None) -> Iterator[list[Head]]:
    store = context.store
    if devices is not None:
        left = iter(devices)
        while some := list(islice(left, _AT_ONCE)):
            yield store.heads_of(some)
        return
    last = 0
    while heads := store.heads(after=last, most=_AT_ONCE):
        yield heads
        last = heads[-1].row


def _learned(firsts: Sequence[tuple[Head, _Ruling]]) -> Iterator[Flock]:
    """Those that led are of the kind that they made."""
    for head, ruling in firsts:
        if ruling.after is not None and head.kind != ruling.kind:
            # what changed of it was written, and its kind forgotten with that
            kind = head.kind if ruling.after == ruling.before else None
            member = Member(head.device, head.evidence, kind, ruling.verdict.until)
            yield Flock(ruling.after, ruling.after, ruling.kind, "", (member,))


def _flocks(following: Sequence[tuple[Head, _Said]]) -> tuple[list[Flock], list[str]]:
    """Who follows whom, of those for whom anything changes; and who cannot follow."""
    members: dict[int, list[Member]] = {}
    rulings: dict[int, _Ruling] = {}
    apart = []
    for head, (ruling, until) in following:
        if ruling.after is None or ruling.in_own_words:
            apart.append(head.device)
        elif head.kind != ruling.kind or head.until != until:
            member = Member(head.device, head.evidence, head.kind, until)
            members.setdefault(id(ruling), []).append(member)
            rulings[id(ruling)] = ruling
    flocks = [
        Flock(ruling.before, ruling.after, ruling.kind, ruling.changed, members[ident])
        for ident, ruling in rulings.items()
        if ruling.after is not None
    ]
    return flocks, apart


def _is_own(said: Appraisal) -> bool:
    return said.subject is Subject.UNIT
