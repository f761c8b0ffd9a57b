"""What another catalogue would say of the same evidence: told, and nothing changed."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.duties import Appraisal, Duty, Outcome
from ..core.verdict import Catalogue, State, Verdict
from .context import Context
from .judging import Judge


@dataclass(frozen=True, slots=True)
class Difference:
    """One answer that would be another."""

    device: str
    duty: Duty
    before: Outcome | None  # None: no such duty today
    said: Appraisal
    binds: bool
    state_before: State
    state: State

    @property
    def would_fail(self) -> bool:
        return self.binds and self.said.outcome is Outcome.NOT_MET


def what_if(
    context: Context,
    today: Catalogue,
    other: Catalogue,
    *,
    now: int,
    regime: str | None = None,
    only: str = "",
) -> tuple[Difference, ...]:
    """Every device's last report judged by both: what binds in one of them or is new in the other;
    with `regime` the duties of its lines there.
    """
    lines = [line for each in other.regimes if regime == each.id for line in each.lines]
    asked = None if regime is None else {line.duty for line in lines}
    ours, theirs = Judge(today), Judge(other)
    found: list[Difference] = []
    for row in context.store.devices():
        facts = context.standing_facts(row.id, now=now)
        if facts is None or only not in ("", row.name, row.id, row.model):
            continue
        was, would = ours.judge(facts), theirs.judge(facts)
        found += (
            each
            for each in _differences(row.name, other, was, would)
            if (_counts(each, was) if asked is None else each.duty.id in asked)
        )
    return tuple(found)


def _counts(each: Difference, was: Verdict) -> bool:
    """It will bind, it bound until now, or nobody asked it before."""
    return each.binds or each.before is None or each.duty.id in was.duty_set.mandatory


def _differences(name: str, other: Catalogue, was: Verdict, would: Verdict) -> list[Difference]:
    before = {each.duty: each.outcome for each in was.appraisals}
    bound, binding = was.duty_set.mandatory, would.duty_set.mandatory
    return [
        Difference(
            name, duty, before.get(duty.id), said, duty.id in binding, was.state, would.state
        )
        for duty, said in zip(other.duties, would.appraisals, strict=True)
        if before.get(duty.id) is not said.outcome or (duty.id in binding) != (duty.id in bound)
    ]
