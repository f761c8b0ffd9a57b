"""`judge` with a memory: an unchanged unit costs its device rules and nothing else.

Rules over the claims-set, releases and policy are answered once per set and remembered (HOUSE "Two
kinds of rule"). As long as no record changes, a report asks only the rules over what every report
may move; a rule over the clock is asked again at the instant that its answer names. Sentences are
built again only when an answer changes, so a sentence tells the values with which it began.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from ..tuples import new
from .device import Registration
from .duties import (
    LIVE,
    LIVE_V,
    Answer,
    Appraisal,
    Duty,
    Facts,
    Outcome,
    Rule,
    answer,
    first_after,
    say,
)
from .verdict import (
    Catalogue,
    DutySet,
    Verdict,
    duty_set,
    is_too_old,
    next_change,
    state_of,
)
from .waiver import covered

_KEPT = 65_536  # units, about 1 kB each
_SETS = 1024
_SAID = 8192
_BINDINGS = 4096
# say nothing of whose unit it is; what is withheld is not-met
_SETTLED = (Outcome.MET, Outcome.NOT_APPLICABLE, Outcome.NOT_SHOWN)
_FOREVER = 1 << 62
_LAST = "v.last_evidence"  # the one that every report does move

# a rule, and what it said: its outcome, and what was missing
_Asked = tuple[Rule, Outcome, tuple[str, ...]]
_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class _Settled:
    """What every unit is told that reports this set, for as long as the clock lets it stand."""

    since: int
    until: int
    told: tuple[Appraisal | None, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last verdict on a unit, and how long it may stand in for a new one."""

    since: int
    still_until: int  # before it the clock changes nothing but what the rules below tell
    steady: tuple[object, ...]
    seen: tuple[object, ...]
    counted: tuple[object, ...]
    always: tuple[_Asked, ...]  # those of them that hold for one instant only
    asked: tuple[_Asked, ...]  # the rules over what a report may move
    too_old: bool
    verdict: Verdict


class Judge:
    """Judges report after report under one catalogue; equal to `judge` but for older sentences.

    Safe to use from several threads.
    """

    def __init__(self, catalogue: Catalogue, *, keep: int = _KEPT) -> None:
        self.catalogue = catalogue
        self._keep = keep
        self._none = (None,) * len(catalogue.duties)
        self._kept: dict[str, _Kept] = {}
        self._sets: dict[object, _Settled] = {}
        self._said: dict[Any, Any] = {}
        self._sheets: dict[tuple[int, ...], tuple[Appraisal, ...]] = {}
        self._bindings: dict[object, tuple[int, int, DutySet]] = {}
        self._lock = Lock()

    def judge(self, facts: Facts) -> Verdict:
        """The verdict on these facts; pure, total, never raises."""
        return self.still(facts) or self._afresh(facts)

    def still(self, facts: Facts) -> Verdict | None:
        """The last verdict on this unit with a new end; None where any answer is another."""
        kept, seen, now = self._kept.get(facts.u.device), facts.v, facts.now
        if (
            kept is None
            or not kept.since <= now < kept.still_until
            or kept.steady != facts[2:]  # the same objects compare at once
            or kept.seen != seen[LIVE_V:]
        ):
            return None
        until = kept.still_until
        try:
            same = kept.counted == seen[1:LIVE_V]
            for rule, outcome, missing in kept.always if same else kept.asked:
                given, lacking, turns = rule(facts)
                if given is not outcome or lacking != missing:
                    return None
                if turns is not None and now < turns < until:
                    until = turns
        except Exception:  # a rule at fault is our fault: the slow way says so, duty by duty
            return None
        if is_too_old(facts) is not kept.too_old:
            return None
        ends, verdict = None if until == _FOREVER else until, kept.verdict
        if ends == verdict.until:
            return verdict
        return new(Verdict, (*verdict[:-1], ends))

    def _afresh(self, facts: Facts) -> Verdict:
        chosen, set_turns = self._binding(facts.u, facts.now)
        set_turns = first_after(facts.now, set_turns, facts.until)
        given, found = self._answer(facts)
        appraisals = self._sheet(covered(facts, self.catalogue.duties, found))
        asked = [(duty, each) for duty, each in given if _is_asked_anew(duty, each)]
        outcomes = {each.duty: each.outcome for each in appraisals}
        verdict = Verdict(
            device=facts.u.device,
            state=state_of(facts, outcomes, chosen.mandatory, chosen.grave),
            appraisals=appraisals,
            duty_set=chosen,
            until=first_after(facts.now, set_turns, *(each.until for each in appraisals)),
        )
        still = first_after(facts.now, set_turns, *self._still(appraisals)) or _FOREVER
        too_old = is_too_old(facts)
        kept = _Kept(
            facts.now,
            still,
            facts[2:],
            self._once(facts.v[LIVE_V:]),
            facts.v[1:LIVE_V],
            self._once(tuple(_asked(*each) for each in asked if _is_of_the_instant(each[0]))),
            self._once(tuple(_asked(*each) for each in asked)),
            too_old,
            verdict,
        )
        self._remember(self._kept, facts.u.device, kept, self._keep)
        return verdict

    def _still(self, appraisals: tuple[Appraisal, ...]) -> list[int | None]:
        """The ends of what no rule tells anew at every report."""
        return [
            each.until
            for each, duty in zip(appraisals, self.catalogue.duties, strict=True)
            if LIVE.isdisjoint(duty.names) or each.outcome not in _SETTLED
        ]

    def _answer(self, facts: Facts) -> tuple[list[tuple[Duty, Answer]], tuple[Appraisal, ...]]:
        compared = (facts.d, facts.r, facts.m, facts.f, facts.u.model, facts.u.chip)
        key = (compared, facts.profile, facts.must_show, facts.v.shown_before)
        kept = self._sets.get(key)
        known = kept is not None and kept.since <= facts.now < kept.until
        settled = kept.told if kept is not None and known else self._none
        moving: list[tuple[Duty, Answer]] = []
        appraisals: list[Appraisal] = []
        for duty, before in zip(self.catalogue.duties, settled, strict=True):
            if before is None:
                given = answer(facts, duty)
                before = self._once(say(facts, duty, given))
                moving.append((duty, given))
            appraisals.append(before)
        if not known:
            told = tuple(
                each if duty.of_set and each.outcome in _SETTLED else None
                for each, duty in zip(appraisals, self.catalogue.duties, strict=True)
            )
            ends = first_after(facts.now, *(each.until for each in told if each)) or _FOREVER
            self._remember(self._sets, key, _Settled(facts.now, ends, told), _SETS)
        return moving, tuple(appraisals)

    def _binding(self, unit: Registration, now: int) -> tuple[DutySet, int | None]:
        """The duty set of all units of this class, market and day, and when the clock turns it."""
        placed = unit.placed_on_market, unit.modified
        key = (unit.own_use, unit.market, unit.product_class, placed, unit.traits)
        found = self._bindings.get(key)
        if found is None or not found[0] <= now < found[1]:
            turns = next_change(self.catalogue, unit, now) or _FOREVER
            found = (now, turns, duty_set(self.catalogue, unit, now))
            self._remember(self._bindings, key, found, _BINDINGS)
        return found[2], None if found[1] == _FOREVER else found[1]

    def _once(self, said: _V) -> _V:
        """Most units are told the same: one copy of it serves them all."""
        held: _V | None = self._said.get(said)
        if held is None:
            self._remember(self._said, said, said, _SAID)
        return said if held is None else held

    def _sheet(self, told: tuple[Appraisal, ...]) -> tuple[Appraisal, ...]:
        """The same of all answers at once, which are known by where each of them lies."""
        place = tuple(map(id, told))
        held = self._sheets.get(place)
        if held is None:
            self._remember(self._sheets, place, told, _SETS)
        return held or told

    def _remember(self, memory: dict[_K, _V], key: _K, value: _V, most: int) -> None:
        with self._lock:
            if key not in memory and len(memory) >= most:
                del memory[next(iter(memory))]  # the oldest
            memory[key] = value


def _is_asked_anew(duty: Duty, given: Answer) -> bool:
    """May the next report change it? What the clock decides is settled until its instant."""
    return not LIVE.isdisjoint(duty.names) or (
        "now" in duty.names and given.outcome not in _SETTLED
    )


def _is_of_the_instant(duty: Duty) -> bool:
    return "now" in duty.names or _LAST in duty.names


def _asked(duty: Duty, given: Answer) -> _Asked:
    return duty.rule, given.outcome, given.missing
