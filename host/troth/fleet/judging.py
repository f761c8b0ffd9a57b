"""The verdict again and again, at the price of what changed since the last one.

A rule over the claims-set and the references is asked once per set and unit. A rule over what is
seen or counted is asked every time, but its sentence is only built anew when its answer changes:
the answer that holds keeps the sentence with which it began, here as in the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from threading import Lock

from ..core.duties import Answer, Appraisal, Duty, Facts, Outcome, answer, first_after, say
from ..core.verdict import (
    Catalogue,
    DutySet,
    Verdict,
    duty_set,
    grave_duties,
    next_change,
    state_of,
)

_KEPT = 200_000  # devices
_NEVER = 1 << 62


@dataclass(slots=True)
class _Kept:
    """The last verdict on one device, and the facts it rests on."""

    facts: Facts
    answers: tuple[Answer | None, ...]  # None: of the set and the references alone
    chosen: DutySet
    set_turns: int | None  # when the duty set changes by the clock
    verdict: Verdict


class Judge:
    """`judge` of the core with a memory; equal to it but for sentences that merely count on."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._grave = grave_duties(catalogue.duties)
        self._still = tuple(duty.scope in ("set", "fleet") for duty in catalogue.duties)
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def judge(self, facts: Facts) -> Verdict:
        kept = self._kept.get(facts.u.device)
        if kept is not None and not _same_ground(kept.facts, facts):
            kept = None
        answers, appraisals = self._answer(facts, kept)
        chosen, turns = self._choose(facts, kept)
        verdict = self._conclude(facts, appraisals, chosen, turns)
        self._keep(facts.u.device, _Kept(facts, answers, chosen, turns, verdict))
        return verdict

    def _answer(
        self, facts: Facts, kept: _Kept | None
    ) -> tuple[tuple[Answer | None, ...], tuple[Appraisal, ...]]:
        answers: list[Answer | None] = []
        appraisals: list[Appraisal] = []
        for number, duty in enumerate(self.catalogue.duties):
            before = kept.verdict.appraisals[number] if kept else None
            given = None
            if before is None or not self._still[number]:
                given = answer(facts, duty)
                held = kept.answers[number] if kept else None
                appraisals.append(_again(facts, duty, given, held, before))
            elif before.until is not None and before.until <= facts.now:
                appraisals.append(say(facts, duty, answer(facts, duty)))
            else:
                appraisals.append(before)
            answers.append(given)
        return tuple(answers), tuple(appraisals)

    def _choose(self, facts: Facts, kept: _Kept | None) -> tuple[DutySet, int | None]:
        if kept is not None and kept.facts.now <= facts.now < (kept.set_turns or _NEVER):
            return kept.chosen, kept.set_turns
        return (
            duty_set(self.catalogue, facts.u, facts.now),
            next_change(self.catalogue, facts.u, facts.now),
        )

    def _conclude(
        self,
        facts: Facts,
        appraisals: tuple[Appraisal, ...],
        chosen: DutySet,
        turns: int | None,
    ) -> Verdict:
        outcomes: dict[str, Outcome] = {each.duty: each.outcome for each in appraisals}
        return Verdict(
            device=facts.u.device,
            state=state_of(facts, outcomes, chosen.mandatory, self._grave),
            appraisals=appraisals,
            duty_set=chosen,
            until=first_after(facts.now, turns, *(each.until for each in appraisals)),
        )

    def _keep(self, device: str, kept: _Kept) -> None:
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            self._kept[device] = kept


def _same_ground(before: Facts, facts: Facts) -> bool:
    """Is all that does not move by itself the very same? Identity, for these are kept objects."""
    return (
        before.d is facts.d
        and before.r is facts.r
        and before.u is facts.u
        and before.m is facts.m
        and before.profile is facts.profile
        and before.must_show is facts.must_show
        and before.v.shown_before == facts.v.shown_before
        and before.v.support_end_max_seen == facts.v.support_end_max_seen
    )


def _again(
    facts: Facts, duty: Duty, given: Answer, held: Answer | None, before: Appraisal | None
) -> Appraisal:
    """The words of before for an answer that is the same; only the hour of its end moves."""
    if before is None or held is None:
        return say(facts, duty, given)
    if given.outcome is not held.outcome or given.missing != held.missing:
        return say(facts, duty, given)
    if given.outcome in (Outcome.NOT_MET, Outcome.NOT_SHOWN, Outcome.ERROR):
        return say(facts, duty, given)  # who owes it may turn with the clock
    until = first_after(facts.now, given.turns)
    return before if before.until == until else replace(before, until=until)
