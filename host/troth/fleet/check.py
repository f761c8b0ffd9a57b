"""Each duty counted over the fleet, and what each regime can say: evidence of breach, or none.

A finding that resolves to the operator is no breach by the maker whom the law addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..core.device import Lifecycle
from ..core.duties import Appraisal, Duty, Outcome, Party, Severity, Subject
from ..core.verdict import Catalogue, Force, Regime, State, force
from ..store.fleet import Member
from .cohorts import Cohort, Told, cohorts
from .context import Context
from .words import SEVERITIES

BASELINE = "troth-baseline"
_SHORT = (Outcome.NOT_MET, Outcome.WAIVED)
Since = Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class Tally:
    """One duty over the units that it binds."""

    duty: Duty
    outcomes: tuple[tuple[Outcome, int], ...]
    stale: int  # units whose last evidence is too old to count
    failing: tuple[str, ...]  # names of units
    since: int | None
    owed: tuple[Party, ...]

    def of(self, outcome: Outcome) -> int:
        return dict(self.outcomes).get(outcome, 0)


@dataclass(frozen=True, slots=True)
class Breach:
    duty: str
    provision: str
    subject: str
    units: tuple[str, ...]
    party: Party


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one regime can say of this fleet today."""

    regime: Regime
    units: int
    failing: tuple[str, ...]  # its duties that fall short, on whosever account
    breaches: tuple[Breach, ...]
    silent: int  # units of which nothing can be said
    coming: tuple[str, ...]  # its duties that are not in force yet: no outcome, and no breach
    waived: tuple[str, ...] = ()  # its duties that somebody lets rest; the law does not
    unshown: tuple[
        str, ...
    ] = ()  # its duties of which some unit shows nothing: no breach, no proof

    @property
    def words(self) -> str:
        if self.regime.id == BASELINE:
            return "falls short" if self.failing else "holds"
        if self.breaches:
            return "evidence of breach"
        return "no evidence of breach" + (" beyond what is waived" if self.waived else "")


@dataclass(frozen=True, slots=True)
class Check:
    as_of: int
    cohorts: tuple[Cohort, ...]
    tallies: tuple[Tally, ...]
    rulings: tuple[Ruling, ...]

    @property
    def units(self) -> int:
        return sum(each.size for each in self.cohorts)

    @property
    def states(self) -> dict[str, State]:
        """Every unit's state, by its name."""
        return dict(sorted((name, each.state) for each in self.cohorts for name in each.names))


def check(
    context: Context,
    catalogue: Catalogue,
    *,
    now: int,
    as_of: int | None = None,
    regime: str | None = None,
    only: str = "",
) -> Check:
    """Count every binding duty; with `regime` its duties, for the units that it concerns."""
    moment = now if as_of is None else as_of
    found = cohorts(context, catalogue, as_of=as_of, only=only)
    # one out of service counts when it is asked for by name, or was asked for then
    if not only and as_of is None:
        found = tuple(each for each in found if each.lifecycle is not Lifecycle.RETIRED)
    fails = context.store.failing_since(as_of=as_of)
    chosen = [each for each in catalogue.regimes if regime in (None, each.id)]
    duties = sorted(catalogue.duties, key=lambda duty: SEVERITIES.index(duty.severity))
    asked = [_asked(each, None if regime is None else chosen, moment) for each in found]
    bound = {
        duty.id: [each for each, ids in zip(found, asked, strict=True) if duty.id in ids]
        for duty in duties
    }
    return Check(
        moment,
        found,
        tuple(_tally(duty, bound[duty.id], fails) for duty in duties if bound[duty.id]),
        tuple(
            ruling
            for each in chosen
            if each.binding and (ruling := _rule(each, found, moment)).units
        ),
    )


def _asked(cohort: Cohort, regimes: Sequence[Regime] | None, now: int) -> frozenset[str]:
    """The duties to count: those that bind, or those of the regimes that are asked for."""
    if regimes is None or cohort.registration is None:
        return cohort.mandatory if regimes is None else frozenset()
    return frozenset(
        line.duty
        for regime in regimes
        for line in regime.lines
        if _counts(force(line, regime, cohort.registration, now))
    )


def _counts(strength: Force) -> bool:
    """A view binds nobody, and who asks for it by name wants to see all of it."""
    return strength in (Force.BINDS, Force.VIEW)


def _tally(duty: Duty, bound: Iterable[Cohort], fails: Since) -> Tally:
    outcomes: Counter[Outcome] = Counter()
    stale, failing = 0, list[str]()
    since: list[int] = []
    owed: Counter[Party] = Counter()
    for cohort in bound:
        answer = cohort.answers.get(duty.id)
        if answer is None:
            outcomes[Outcome.NOT_SHOWN] += cohort.size
            continue
        said = answer.said
        if cohort.state is State.STALE and _rests_on_report(said):
            stale += cohort.size  # never shown as last-good
            continue
        outcomes[said.outcome] += cohort.size
        if said.outcome is Outcome.NOT_MET:
            failing += cohort.names
            since += (at for each in cohort.members if (at := _since(each, answer, fails)))
            if said.owed_by:
                owed[said.owed_by] += cohort.size
    return Tally(
        duty,
        tuple(outcomes.items()),
        stale,
        tuple(sorted(failing)),
        min(since, default=None),
        tuple(party for party, _ in owed.most_common()),
    )


def _since(member: Member, answer: Told, fails: Since) -> int | None:
    key = (answer.kind, answer.subject or member.id, answer.said.duty)
    return fails.get(key, answer.since)


def _rests_on_report(said: Appraisal) -> bool:
    """What the verifier sees itself stays known when a device falls silent."""
    return said.subject is Subject.UNIT and said.outcome is not Outcome.NOT_MET


def _rule(regime: Regime, found: Iterable[Cohort], now: int) -> Ruling:
    breaches: dict[tuple[str, str, str, Party], list[str]] = {}
    failing: dict[str, None] = {}
    waived: dict[str, None] = {}
    unshown: dict[str, None] = {}
    concerned = [each for each in found if regime.id in each.regimes]
    for cohort in concerned:
        for line in regime.lines:
            answer = cohort.answers.get(line.duty)
            if answer is None or answer.said.outcome not in (*_SHORT, Outcome.NOT_SHOWN):
                continue
            unit = cohort.registration
            if unit is None or force(line, regime, unit, now) is not Force.BINDS:
                continue
            if answer.said.outcome is not Outcome.NOT_MET:
                rests = answer.said.outcome is Outcome.WAIVED
                (waived if rests else unshown)[line.duty] = None
                continue
            failing[line.duty] = None
            party = answer.said.owed_by
            if party is not None and party is not Party.OPERATOR:
                for member in cohort.members:
                    subject = answer.subject or member.id
                    key = (line.duty, line.clause.provision, subject, party)
                    breaches.setdefault(key, []).append(member.name)
    return Ruling(
        regime,
        sum(each.size for each in concerned),
        tuple(failing),
        tuple(Breach(*key[:3], tuple(names), key[3]) for key, names in breaches.items()),
        sum(each.size for each in concerned if each.state in (State.STALE, State.UNKNOWN)),
        _coming(regime, concerned, now),
        tuple(waived),
        tuple(unshown),
    )


def _coming(regime: Regime, concerned: Iterable[Cohort], now: int) -> tuple[str, ...]:
    """Whether a line is in force yet is the same for every unit that its regime speaks of."""
    unit = next((unit.registration for unit in concerned if unit.registration), None)
    if unit is None:
        return ()
    lines = (line for line in regime.lines if force(line, regime, unit, now) is Force.TO_COME)
    return tuple(sorted({line.duty for line in lines}))


def fails(result: Check, fail_on: str) -> State:
    """The state that `--fail-on` makes of a check: `any`, `critical` or `stale` as well.

    A silent unit is silent, whatever it failed before; what its model fails, it fails without it.
    """
    stale = {name for each in result.cohorts if each.state is State.STALE for name in each.names}
    failing = [
        tally.duty
        for tally in result.tallies
        if (set(tally.failing) - stale if tally.duty.subject is Subject.UNIT else tally.failing)
    ]
    if fail_on == "critical":
        failing = [duty for duty in failing if duty.severity is Severity.CRITICAL]
    if failing:
        return State.NON_COMPLIANT
    silent = any(each.state in (State.STALE, State.UNKNOWN) for each in result.cohorts)
    if silent or not result.units:
        return State.NON_COMPLIANT if fail_on == "stale" and result.units else State.UNKNOWN
    return State.COMPLIANT
