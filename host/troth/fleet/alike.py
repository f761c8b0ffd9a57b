"""Judging everybody by judging one of each flock: the others follow it.

No rule can tell the units of a flock apart at this instant. The clock goes on counting down what is
counted of their reports, so the rules over that are asked again for whatever it may be by now. Who
is told something else by them leads others; whose past is not all in its head, or who would be told
values of its own reports, is judged apart. So everybody is told what it would have been told alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from operator import itemgetter
from typing import NamedTuple

from ..core.duties import Appraisal, Duty, Facts, Subject
from ..core.verdict import Verdict
from ..store import Course, Flock, Key, Lead, Limits, Standing, Subjects, Told, Turned, Window
from .context import Context
from .judging import Judge
from .owners import owners

_ROWS = 20_000  # under one commit
_NAMED = 5000
_APART = 500  # that are written one by one
_MOST_VALUES = 64  # that a count may have by now, for all that its unit's head tells
_MOST_SAID = 200_000
_ELSE = -1  # no end: it is told something else
# a rule that asks no more than this, and when the clock turns that
_PLAIN = {
    "v.last_evidence": (
        "now - v.last_evidence < r.max_evidence_age",
        "v.last_evidence + r.max_evidence_age",
    ),
    "v.reconnects_per_h": ("v.reconnects_per_h <= r.max_reconnects", ""),
    "v.boots_24h": ("v.boots_24h <= r.max_boots_24h", ""),
}


@dataclass(slots=True, eq=False)
class _Ruling:
    """What one of a kind is told, and what stands written of it from then on."""

    facts: Facts
    verdict: Verdict
    before: Told
    lead: Lead | None = None  # None: nobody can follow, each is told values of its own reports


class _Said(NamedTuple):
    ruling: _Ruling
    until: int | None
    by_age: bool


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
    turned: int = 0
    generation: int = -1
    limits: Limits = field(default_factory=Limits)
    own: dict[str, int] = field(default_factory=dict)
    owning: list[tuple[int, str]] = field(default_factory=list)  # by the rows of their heads
    kinds: dict[Hashable, _Kind] = field(default_factory=dict)
    said: dict[Key, _Said | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        policy, duties = self.context.policy, self.judge.catalogue.duties
        allowed = policy.max_evidence_age, policy.max_reconnects, policy.max_boots_24h
        asked = zip(_PLAIN, allowed, strict=True)
        plain = (most if most > 0 and _is_plain(name, duties) else None for name, most in asked)
        self.limits = Limits(*plain)

    def run(self, devices: Iterable[str] | None = None) -> int:
        """Judge these, or everybody; returns how many turned."""
        for some in self._everybody() if devices is None else self._named(devices):
            while not self._judge(some):
                pass
        return self.turned

    def _everybody(self) -> Iterator[Window]:
        last = self.context.store.last_head()
        for after in range(0, last, _ROWS):
            yield Window(self.now, self.limits, after, after + _ROWS)

    def _named(self, devices: Iterable[str]) -> Iterator[Window]:
        left = iter(devices)
        while some := tuple(islice(left, _NAMED)):
            yield Window(self.now, self.limits, devices=some)

    def _judge(self, window: Window) -> bool:
        """False: the records changed under our hands, or who was to lead reported meanwhile."""
        self._begin()
        while self.context.store.learn_kinds(window):
            pass
        window = self._with_own(window)
        found = self.context.store.flocks(window)
        firsts = self._firsts(found.flocks)
        self._lead(firsts)
        keys = [flock.key for flock in found.flocks]
        if not all(key in self.said for key in keys):
            return False
        courses = {key: course for key in keys if (course := _course(self.said[key]))}
        followed = self.context.store.follow(
            window, courses, seen=found.seen, references=self.generation
        )
        if followed is None:
            return False
        leaders = {flock.device for flock, _ in firsts}
        self._alone([device for device in followed.apart if device not in leaders])
        self.turned += followed.turned
        return True

    def _begin(self) -> None:
        generation = self.context.refresh()
        store = self.context.store
        if generation != self.generation:
            marks: dict[Hashable, int] = {}
            found = owners(store, self.context.policy, self.now)
            self.own = {each: marks.setdefault(own, len(marks)) for each, own in found.items()}
            self.owning = store.head_rows(list(self.own))
            self.kinds.clear()
            self.said.clear()
        if len(self.said) > _MOST_SAID:
            self.said.clear()
        self.generation = generation

    def _with_own(self, window: Window) -> Window:
        if window.devices is not None:
            some: Iterable[str] = window.devices
        else:
            ends = window.after, window.upto
            first, end = (bisect_right(self.owning, at, key=itemgetter(0)) for at in ends)
            some = (device for _, device in self.owning[first:end])
        return replace(window, own={each: self.own[each] for each in some if each in self.own})

    def _firsts(self, flocks: Sequence[Flock]) -> list[tuple[Flock, _Ruling]]:
        """Those that lead, of the flocks that nothing was said of yet."""
        new = [flock for flock in flocks if flock.key not in self.said]
        standings = self._standings(new)
        firsts, stale = [], []
        for flock in new:
            kind = flock.key[:2]
            if kind not in self.kinds:
                standing = standings.get(flock.device)
                if standing is None or standing.kind != flock.key.kind:
                    stale.append(flock.key.kind)
                    continue
                self.kinds[kind] = _Kind(standing)
            said = self.said[flock.key] = self._say(flock, self.kinds[kind])
            if said is not None and said.ruling.verdict.device == flock.device:
                firsts.append((flock, said.ruling))
        if stale:
            self.context.store.forget_kinds(stale)
        return firsts

    def _standings(self, flocks: Sequence[Flock]) -> dict[str, Standing]:
        """Of one of each kind that was not met yet."""
        unmet = (flock for flock in reversed(flocks) if flock.key[:2] not in self.kinds)
        asked = {flock.key[:2]: flock.device for flock in unmet}
        return self.context.store.standings(list(asked.values())) if asked else {}

    def _say(self, flock: Flock, kind: _Kind) -> _Said | None:
        """What a flock is told; None: each of it is judged apart."""
        for ruling in kind.rulings:
            said = self._agrees(ruling, flock.key)
            if said is not None:
                return said
        facts = self.context.standing_facts(flock.device, now=self.now)
        if facts is None or None in kind.standing.told[:2]:
            return None
        asked = facts.r.max_evidence_age, facts.r.max_reconnects, facts.r.max_boots_24h
        if any(most not in (None, its) for most, its in zip(self.limits, asked, strict=True)):
            return None
        ruling = _Ruling(facts, self.judge.judge(facts), kind.standing.told)
        said = self._agrees(ruling, flock.key)
        if said is not None:
            kind.rulings.append(ruling)
        return said

    def _agrees(self, ruling: _Ruling, key: Key) -> _Said | None:
        """Is a flock told the same, whatever has become of what is counted of it?"""
        hourly = _counts(key.reports, self.limits.reports, least=1)
        daily = _counts(key.boots, self.limits.boots)
        if len(hourly) * len(daily) > _MOST_VALUES:
            return None
        age = self.limits.age
        recent = age is not None and key.given == self.now
        # of all that are recent, the newest and the oldest
        given = (self.now, self.now - age + 1) if age and recent else (key.given,)
        ends = [
            {self._until(ruling, key, last, *each) for each in product(hourly, daily)}
            for last in given
        ]
        if any(len(found) != 1 or _ELSE in found for found in ends):
            return None
        (newest,), (oldest,) = ends[0], ends[-1]
        # the oldest is too old with the next second, unless age turns nothing
        return _Said(ruling, newest, recent and oldest == self.now + 1)

    def _until(self, ruling: _Ruling, key: Key, last: int, in_hour: int, in_day: int) -> int | None:
        """Until when what it is told holds, if this is what is counted of it; or `_ELSE`."""
        seen = ruling.facts.v._replace(
            last_evidence=last, skew_s=key.skew, reconnects_per_h=in_hour, boots_24h=in_day
        )
        verdict = self.judge.still(ruling.facts._replace(v=seen))
        if verdict is None or verdict.appraisals is not ruling.verdict.appraisals:
            return _ELSE
        return verdict.until

    def _lead(self, firsts: Sequence[tuple[Flock, _Ruling]]) -> None:
        """Write what the first of each flock is told, and see what came of it."""
        subjects = self.context.subjects
        done = self._turn([(each.verdict, subjects(each.facts)) for _, each in firsts])
        standings = self.context.store.standings([flock.device for flock, _ in firsts])
        for (flock, ruling), turned in zip(firsts, done, strict=True):
            standing = standings[flock.device]
            if standing.evidence != flock.evidence:
                self._forget(ruling)  # it reported meanwhile: another one leads
                continue
            units = {said.duty: said for said in ruling.verdict.appraisals if _is_own(said)}
            changed = [units[duty] for duty in turned.changed if duty in units]
            if not any(said.live for said in changed):
                words = " ".join(said.duty for said in changed)
                ruling.lead = Lead(ruling.before, standing.told, standing.kind, words)

    def _forget(self, ruling: _Ruling) -> None:
        for key in [key for key, said in self.said.items() if said and said.ruling is ruling]:
            del self.said[key]
        for kind in self.kinds.values():
            if ruling in kind.rulings:
                kind.rulings.remove(ruling)

    def _alone(self, devices: Sequence[str]) -> None:
        for start in range(0, len(devices), _APART):
            some = devices[start : start + _APART]
            facts = (self.context.standing_facts(each, now=self.now) for each in some)
            said = [(self.judge.judge(each), self.context.subjects(each)) for each in facts if each]
            self._turn(said)

    def _turn(self, said: Sequence[tuple[Verdict, Subjects]]) -> list[Turned]:
        done: list[Turned] = []
        for start in range(0, len(said), _APART):
            turns = [
                (verdict.device, verdict, subjects)
                for verdict, subjects in said[start : start + _APART]
            ]
            done += self.context.store.turn_all(turns, at=self.now, references=self.generation)
        self.turned += sum(each.moved for each in done)
        return done


def _course(said: _Said | None) -> Course | None:
    if said is None or said.ruling.lead is None:
        return None
    return Course(said.ruling.lead, said.until, said.by_age)


def _counts(counted: int, most: int | None, least: int = 0) -> Sequence[int]:
    """All that it may have come down to by now; of what is allowed, the ends."""
    if counted == most:
        return (0, most)
    return range(min(least, counted), counted + 1)


def _is_plain(name: str, duties: Iterable[Duty]) -> bool:
    """Does no duty ask more of it than whether it is within what is allowed?"""
    return all(
        (duty.ok_text, duty.turns_text) == _PLAIN[name]
        and name not in f"{duty.when_text} {duty.fresh_text}"
        for duty in duties
        if name in duty.names
    )


def _is_own(said: Appraisal) -> bool:
    return said.subject is Subject.UNIT
