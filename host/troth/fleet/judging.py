"""The verdict again and again, at the price of what changed since the last one.

Most reports say what the last one said. Then only the rules are asked whose own names moved, and
when they answer as before, the appraisals of before stand: the very same objects, with the
sentences with which they began, so that whoever keeps them sees at a glance that nothing changed.
Any other answer, and all duties are answered afresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from threading import Lock

from ..core.device import Observed
from ..core.duties import Answer, Facts, Outcome, answer, first_after
from ..core.verdict import Catalogue, State, Verdict, is_too_old, judge, next_change

_KEPT = 200_000  # devices
_SEEN = tuple(field.name for field in fields(Observed))


@dataclass(frozen=True, slots=True)
class _Kept:
    """The last verdict on one device, and what it rests on."""

    facts: Facts
    answers: Mapping[int, Answer]  # of the duties that can move, by their number
    still_until: int | None  # of all that does not move with a report
    verdict: Verdict


class Judge:
    """`judge` of the core with a memory. Same state and outcomes; `until` of the verdict holds,
    that of an appraisal is as of the report that brought the answer."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._moving = {
            number: frozenset(name for name in duty.names if name.startswith("v."))
            for number, duty in enumerate(catalogue.duties)
            if any(name.startswith("v.") for name in duty.names)
        }
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def judge(self, facts: Facts) -> Verdict:
        """The verdict on these facts, as of their `now`."""
        kept = self._kept.get(facts.u.device)
        made = self._again(facts, kept) if kept is not None else None
        if made is None:
            made = self._afresh(facts)
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[facts.u.device] = made
        return made.verdict

    def _afresh(self, facts: Facts) -> _Kept:
        verdict = judge(facts, self.catalogue)
        duties = self.catalogue.duties
        answers = {number: answer(facts, duties[number]) for number in self._moving}
        still = [
            each.until
            for number, each in enumerate(verdict.appraisals)
            if number not in answers or each.outcome is not Outcome.MET
        ]
        turns = next_change(self.catalogue, facts.u, facts.now)
        return _Kept(facts, answers, first_after(facts.now, turns, *still), verdict)

    def _again(self, facts: Facts, kept: _Kept) -> _Kept | None:
        """The verdict of before, if every answer still is what it was."""
        before, now = kept.facts, facts.now
        if now < before.now or not _same_ground(before, facts):
            return None
        if kept.still_until is not None and kept.still_until <= now:
            return None
        moved = {f"v.{n}" for n in _SEEN if getattr(before.v, n) != getattr(facts.v, n)}
        answers = dict(kept.answers)
        for number, names in self._moving.items():
            held = answers[number]
            if names.isdisjoint(moved) and (held.turns is None or now < held.turns):
                continue
            given = answer(facts, self.catalogue.duties[number])
            if given.outcome is not held.outcome or given.missing != held.missing:
                return None
            answers[number] = given
        if is_too_old(facts) != (kept.verdict.state is State.STALE):
            return None
        until = first_after(now, kept.still_until, *(each.turns for each in answers.values()))
        verdict = Verdict(
            device=kept.verdict.device,
            state=kept.verdict.state,
            appraisals=kept.verdict.appraisals,
            duty_set=kept.verdict.duty_set,
            until=until,
        )
        return _Kept(facts, answers, kept.still_until, verdict)


def _same_ground(before: Facts, facts: Facts) -> bool:
    """Is all that a report does not move the very same? Identity, for these are kept objects."""
    return (
        before.d is facts.d
        and before.r is facts.r
        and before.u is facts.u
        and before.m is facts.m
        and before.profile is facts.profile
        and before.must_show is facts.must_show
        and before.v.shown_before == facts.v.shown_before
    )
