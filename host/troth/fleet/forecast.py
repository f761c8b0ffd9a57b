"""When each device will begin to fail by the clock alone, and why.

The last report is judged again at each instant at which an answer says that it may turn, as the
clock job will. So the forecast and `--as-of` agree when nothing else happens in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from ..core.duties import Appraisal, Duty, Facts, Outcome
from ..core.feeds import Feeds
from ..core.reference import Policy
from ..core.verdict import Catalogue, Line, Regime, State, Verdict
from ..core.waiver import EVERY
from ..store import DeviceRow, Store
from .context import Context
from .judging import Judge
from .words import day, iso

FED = frozenset(f"v.{field.name}" for field in fields(Feeds))
_MOST_STEPS = 1000  # a rule whose instants never end must not go on for ever


class Cause(StrEnum):
    """What of the clock turns it."""

    WAIVER = "waiver"
    GRACE = "grace"
    REGIME = "regime"
    EVIDENCE_AGE = "evidence-age"
    SUPPORT_END = "support-end"
    DECLARATION = "declaration"
    INCIDENT = "incident"
    FEED_AGE = "feed-age"
    RULE = "rule"


class Step(NamedTuple):
    """How a device stands from one instant on."""

    at: int
    facts: Facts
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of one device that the clock alone changes."""

    device: DeviceRow
    at: int
    duty: Duty
    before: Outcome
    after: Outcome
    binds: bool  # does it count for the state from then on?
    state_before: State
    state: State
    cause: Cause
    why: str
    said: Appraisal

    @property
    def begins_to_fail(self) -> bool:
        return self.binds and self.after is Outcome.NOT_MET


@dataclass(frozen=True, slots=True)
class Forecast:
    made: int
    until: int
    units: int
    silent: tuple[str, ...]  # never reported: nothing can be said of them
    turns: tuple[Turn, ...]  # in the order of their instants

    @property
    def failing(self) -> tuple[Turn, ...]:
        return tuple(turn for turn in self.turns if turn.begins_to_fail)


def forecast(
    store: Store,
    policy: Policy,
    catalogue: Catalogue,
    *,
    now: int,
    until: int,
    regime: str | None = None,
    only: str = "",
    heard: bool = False,
) -> Forecast:
    """All turns up to an instant; `heard`: as if each went on reporting what it says now."""
    context = Context(store, policy)  # one of its own: it looks at times that have not come
    context.refresh()
    judge = Judge(catalogue)
    silent: list[str] = []
    turns: list[Turn] = []
    rows = [row for row in store.devices() if only in ("", row.name, row.id, row.model)]
    chosen = [each for each in catalogue.regimes if regime in (None, each.id)]
    for row in rows:
        steps = list(outlook(context, judge, row.id, now=now, until=until, heard=heard))
        if not steps:
            silent.append(row.name)
        for before, after in pairwise(steps):
            turns += _turns(row, catalogue, chosen, before, after, everything=regime is not None)
    turns.sort(key=lambda turn: (turn.at, turn.device.name, turn.duty.id))
    return Forecast(now, until, len(rows), tuple(silent), tuple(turns))


def outlook(
    context: Context, judge: Judge, device: str, *, now: int, until: int, heard: bool = False
) -> Iterator[Step]:
    """How a device stands now, and from each instant on at which the clock may change it."""
    at: int | None = now
    for _ in range(_MOST_STEPS):
        if at is None or at > until:
            return
        facts = context.standing_facts(device, now=at)
        if facts is None:
            return
        if heard:
            facts = facts._replace(v=facts.v._replace(last_evidence=until))
        verdict = judge.judge(facts)
        yield Step(at, facts, verdict)
        at = verdict.until


def _turns(
    row: DeviceRow,
    catalogue: Catalogue,
    regimes: list[Regime],
    before: Step,
    after: Step,
    *,
    everything: bool,
) -> Iterator[Turn]:
    """What is another from this step on, of the duties that bind or that were asked for."""
    asked = {line.duty for regime in regimes for line in regime.lines} if everything else None
    was, now = before.verdict, after.verdict
    for duty, old, new in zip(catalogue.duties, was.appraisals, now.appraisals, strict=True):
        bound = duty.id in was.duty_set.mandatory
        binds = duty.id in now.duty_set.mandatory
        if asked is None and not (bound or binds):
            continue
        if asked is not None and duty.id not in asked:
            continue
        if old.outcome is new.outcome and bound == binds:
            continue
        if old.outcome is not new.outcome:
            cause, why = _cause(duty, before, after, old, new)
        else:
            cause, why = Cause.REGIME, _line_words(catalogue, duty, after.at)
        yield Turn(
            row,
            after.at,
            duty,
            old.outcome,
            new.outcome,
            binds,
            was.state,
            now.state,
            cause,
            why,
            new,
        )


def _cause(
    duty: Duty, before: Step, after: Step, old: Appraisal, new: Appraisal
) -> tuple[Cause, str]:
    if Outcome.WAIVED in (old.outcome, new.outcome):
        for waiver in before.facts.waivers:
            if after.at in (waiver.end, waiver.created) and waiver.duty in (duty.id, EVERY):
                if waiver.duty == EVERY:
                    return Cause.GRACE, "the grace after enrolment ends"
                word = "ends" if after.at == waiver.end else "begins"
                return Cause.WAIVER, f"waiver {waiver.id[:12]} of {waiver.approved_by} {word}"
    if "v.last_evidence" in duty.names:
        last = after.facts.v.last_evidence
        return Cause.EVIDENCE_AGE, f"the last evidence is of {iso(last)}" if last else new.because
    if before.facts.m != after.facts.m and any(name.startswith("m.") for name in duty.names):
        return Cause.DECLARATION, after.facts.m.unsaid or "another declaration begins to hold"
    fed = after.facts.f
    dues = {"v.exploited_due": fed.exploited_due, "v.severe_due": fed.severe_due}
    if after.at in (due for name, due in dues.items() if name in duty.names):
        return Cause.INCIDENT, new.because
    if any(name in FED for name in duty.names):
        return Cause.FEED_AGE, new.because
    support = after.facts.m.support_end
    if "m.support_end" in duty.names and support is not None and support <= after.at:
        return Cause.SUPPORT_END, f"support ends on {day(support)}"
    return Cause.RULE, new.because


def _line_words(catalogue: Catalogue, duty: Duty, at: int) -> str:
    """The clauses that begin or end to bind at that instant."""
    found = [
        f"{regime.id} {line.clause.provision} {'ends' if line.until == at else 'is in force'}"
        for regime in catalogue.regimes
        for line in regime.lines
        if line.duty == duty.id and at in (_start(line, regime), line.until)
    ]
    return "; ".join(dict.fromkeys(found)) or "another set of duties binds it"


def _start(line: Line, regime: Regime) -> int | None:
    return line.since if line.since is not None else regime.in_force
