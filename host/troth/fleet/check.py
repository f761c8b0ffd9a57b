"""Each duty counted over the fleet, and what each regime can say: evidence of breach, or none.

A finding that resolves to the operator is no breach by the maker whom the law addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..core.device import Lifecycle
from ..core.duties import Appraisal, Duty, Outcome, Party, Severity, Subject
from ..core.verdict import Catalogue, Force, Regime, State, force
from ..store.rows import IntervalRow
from .context import Context
from .units import Unit, list_units
from .words import SEVERITIES

BASELINE = "troth-baseline"
_SHORT = (Outcome.NOT_MET, Outcome.WAIVED)
Answers = Mapping[str, IntervalRow]  # one unit's, by duty


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
    units: tuple[Unit, ...]
    tallies: tuple[Tally, ...]
    rulings: tuple[Ruling, ...]


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
    units = tuple(unit for unit in list_units(context, as_of=as_of) if _in_scope(unit, only, as_of))
    answers = _answers(context, units, as_of)
    fails = context.store.failing_since(as_of=as_of)
    chosen = [each for each in catalogue.regimes if regime in (None, each.id)]
    duties = sorted(catalogue.duties, key=lambda duty: SEVERITIES.index(duty.severity))
    bound = {
        duty.id: tuple(unit for unit in units if _binds(duty, unit, chosen, regime, moment))
        for duty in duties
    }
    return Check(
        moment,
        units,
        tuple(_tally(duty, bound[duty.id], answers, fails) for duty in duties if bound[duty.id]),
        tuple(
            ruling
            for each in chosen
            if each.binding and (ruling := _rule(each, units, answers, moment)).units
        ),
    )


def _in_scope(unit: Unit, only: str, as_of: int | None) -> bool:
    """All in service; one out of service when it is asked for by name, or was asked for then."""
    if only:
        return only in (unit.row.name, unit.row.id, unit.row.model)
    return as_of is not None or unit.row.lifecycle is not Lifecycle.RETIRED


def _answers(
    context: Context, units: Iterable[Unit], as_of: int | None
) -> dict[str, dict[str, IntervalRow]]:
    """The answers about each unit, its own and those that it inherits."""
    by_subject: dict[tuple[str, str], list[IntervalRow]] = {}
    for each in context.store.all_intervals(as_of=as_of):
        by_subject.setdefault((each.subject_kind, each.subject), []).append(each)
    found = {}
    for unit in units:
        subjects = {
            "unit": unit.row.id,
            **context.store.subjects(unit.row.id, as_of=as_of),
        }
        found[unit.row.id] = {
            answer.appraisal.duty: answer
            for subject in subjects.items()
            for answer in by_subject.get(subject, ())
        }
    return found


def _binds(duty: Duty, unit: Unit, regimes: Iterable[Regime], only: str | None, now: int) -> bool:
    if only is None:
        return duty.id in unit.mandatory
    return any(
        line.duty == duty.id and _counts(force(line, regime, unit.registration, now))
        for regime in regimes
        for line in regime.lines
        if unit.registration
    )


def _counts(strength: Force) -> bool:
    """A view binds nobody, and who asks for it by name wants to see all of it."""
    return strength in (Force.BINDS, Force.VIEW)


def _tally(
    duty: Duty,
    units: Iterable[Unit],
    answers: Mapping[str, Answers],
    fails: Mapping[tuple[str, str, str], int],
) -> Tally:
    outcomes: Counter[Outcome] = Counter()
    stale, failing, since = 0, [], []
    owed: Counter[Party] = Counter()
    for unit in units:
        answer = answers[unit.row.id].get(duty.id)
        if answer is None:
            outcomes[Outcome.NOT_SHOWN] += 1
            continue
        said = answer.appraisal
        if unit.state is State.STALE and _rests_on_report(said):
            stale += 1  # never shown as last-good
            continue
        outcomes[said.outcome] += 1
        if said.outcome is Outcome.NOT_MET:
            failing.append(unit.row.name)
            since.append(fails.get((answer.subject_kind, answer.subject, duty.id), answer.since))
            owed.update([said.owed_by] if said.owed_by else [])
    return Tally(
        duty,
        tuple(outcomes.items()),
        stale,
        tuple(failing),
        min(since, default=None),
        tuple(party for party, _ in owed.most_common()),
    )


def _rests_on_report(said: Appraisal) -> bool:
    """What the verifier sees itself stays known when a device falls silent."""
    return said.subject is Subject.UNIT and said.outcome is not Outcome.NOT_MET


def _rule(
    regime: Regime, units: Iterable[Unit], answers: Mapping[str, Answers], now: int
) -> Ruling:
    found: dict[tuple[str, str, str, Party], list[str]] = {}
    failing: dict[str, None] = {}
    waived: dict[str, None] = {}
    concerned = [unit for unit in units if regime.id in unit.regimes]
    for unit in concerned:
        for line in regime.lines:
            answer = answers[unit.row.id].get(line.duty)
            if answer is None or answer.appraisal.outcome not in _SHORT:
                continue
            if not unit.registration or force(line, regime, unit.registration, now) != Force.BINDS:
                continue
            if answer.appraisal.outcome is Outcome.WAIVED:
                waived[line.duty] = None
                continue
            failing[line.duty] = None
            party = answer.appraisal.owed_by
            if party is not None and party is not Party.OPERATOR:
                key = (line.duty, line.clause.provision, answer.subject, party)
                found.setdefault(key, []).append(unit.row.name)
    return Ruling(
        regime,
        len(concerned),
        tuple(failing),
        tuple(Breach(*key[:3], tuple(names), key[3]) for key, names in found.items()),
        sum(unit.state in (State.STALE, State.UNKNOWN) for unit in concerned),
        _coming(regime, concerned, now),
        tuple(waived),
    )


def _coming(regime: Regime, concerned: Iterable[Unit], now: int) -> tuple[str, ...]:
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
    stale = {unit.row.name for unit in result.units if unit.state is State.STALE}
    failing = [
        tally.duty
        for tally in result.tallies
        if (set(tally.failing) - stale if tally.duty.subject is Subject.UNIT else tally.failing)
    ]
    if fail_on == "critical":
        failing = [duty for duty in failing if duty.severity is Severity.CRITICAL]
    if failing:
        return State.NON_COMPLIANT
    silent = any(unit.state in (State.STALE, State.UNKNOWN) for unit in result.units)
    if silent or not result.units:
        return State.NON_COMPLIANT if fail_on == "stale" and result.units else State.UNKNOWN
    return State.COMPLIANT
