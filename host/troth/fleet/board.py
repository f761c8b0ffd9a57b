"""Today: every duty against every model, what changed, who is silent, and what makers owe once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Clause, Duty, Outcome, Party, Severity, Subject
from ..core.verdict import Catalogue, Regime, State
from ..store.rows import DeviceRow, IntervalRow, RejectionRow, StateRow
from .context import Context
from .words import SEVERITIES, STATES_BY_WORST

DAY = 86_400
NO_MODEL = "no model"


@dataclass(frozen=True, slots=True)
class Unit:
    """One line of a device list."""

    row: DeviceRow
    state: State
    since: int | None
    failing: tuple[str, ...]
    failing_since: int | None
    mandatory: frozenset[str]
    regimes: tuple[str, ...]
    last_evidence: int | None
    profile: str

    @property
    def model(self) -> str:
        return self.row.model or NO_MODEL


@dataclass(frozen=True, slots=True)
class Cell:
    """One duty for one model: how many units it binds, how many fail, and how badly."""

    model: str
    binds: int
    failing: int
    open: int  # binding, and not shown or our own error
    worst: State | None  # None: it binds no unit of this model
    once: bool  # the failure is one finding of the model, release or maker
    newly: int  # failing since less than a day


@dataclass(frozen=True, slots=True)
class Row:
    duty: Duty
    cells: tuple[Cell, ...]
    laws: tuple[Clause, ...]
    owed: tuple[Party, ...]

    @property
    def failing(self) -> int:
        return sum(cell.failing for cell in self.cells)

    @property
    def open(self) -> int:
        return sum(cell.open for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Group:
    severity: Severity
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """An answer or a state that turned since yesterday."""

    duty: Duty
    devices: tuple[DeviceRow, ...]
    at: int
    fixed: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What falls short of a release, a model or a maker: judged once, counted once."""

    duty: Duty
    kind: Subject
    subject: str
    interval: IntervalRow
    units: int


@dataclass(frozen=True, slots=True)
class Today:
    as_of: int
    total: int
    counts: tuple[tuple[State, int], ...]
    models: tuple[str, ...]
    groups: tuple[Group, ...]  # duties that fail somewhere, or that something left open
    quiet: tuple[Row, ...]  # duties that bind somebody and hold everywhere
    regimes: tuple[Regime, ...]  # that bind some unit
    newly: tuple[Change, ...]
    fixed: tuple[Change, ...]
    silent: tuple[Unit, ...]
    findings: tuple[Finding, ...]
    rejections: tuple[RejectionRow, ...]
    catalogue: str

    @property
    def failing(self) -> tuple[Row, ...]:
        return tuple(row for group in self.groups for row in group.rows if row.failing)


def list_units(context: Context, *, as_of: int | None = None) -> tuple[Unit, ...]:
    """Every device with its state, by name."""
    store = context.store
    states = store.states(as_of=as_of)
    answers = _by_subject(store.all_intervals(as_of=as_of))
    return tuple(
        _unit(context, row, states.get(row.id), answers.get(("unit", row.id), ()), as_of)
        for row in store.devices()
        if as_of is None or row.created <= as_of
    )


def today(
    context: Context,
    catalogue: Catalogue,
    *,
    now: int,
    as_of: int | None = None,
    regime: str | None = None,
) -> Today:
    """The morning picture; with `regime`, its duties alone."""
    moment = now if as_of is None else as_of
    units = list_units(context, as_of=as_of)
    intervals = context.store.all_intervals(as_of=as_of)
    models = tuple(sorted({unit.model for unit in units}))
    rows = _rows(catalogue, regime, units, models, intervals, moment)
    return Today(
        as_of=moment,
        total=len(units),
        counts=_counts(units),
        models=models,
        groups=_groups(row for row in rows if row.failing or row.open),
        quiet=tuple(row for row in rows if not row.failing and not row.open),
        regimes=_bound(catalogue, units),
        newly=_changes(catalogue, units, intervals, moment, fixed=False),
        fixed=_fixed(context, catalogue, units, moment),
        silent=tuple(unit for unit in units if unit.state is State.STALE),
        findings=_findings(catalogue, units, intervals),
        rejections=tuple(r for r in context.store.rejections(limit=12) if r.at <= moment),
        catalogue=catalogue.digest,
    )


_Subject = tuple[str, str]


def _by_subject(intervals: Iterable[IntervalRow]) -> dict[_Subject, list[IntervalRow]]:
    found: dict[_Subject, list[IntervalRow]] = defaultdict(list)
    for interval in intervals:
        found[interval.subject_kind, interval.subject].append(interval)
    return found


def _unit(
    context: Context,
    row: DeviceRow,
    state: StateRow | None,
    answers: Iterable[IntervalRow],
    as_of: int | None,
) -> Unit:
    failing = state.failing if state else ()
    own = [each.since for each in answers if each.appraisal.duty in failing]
    last = context.store.latest_evidence(row.id, as_of)
    unit = context.unit(row.id)
    line = unit.provisioning if unit else None
    return Unit(
        row=row,
        state=state.state if state else State.UNKNOWN,
        since=state.since if state else None,
        failing=failing,
        failing_since=min(own, default=state.since if state and failing else None),
        mandatory=frozenset(state.mandatory) if state else frozenset(),
        regimes=state.regimes if state else (),
        last_evidence=last.received if last else None,
        profile=line.profile.value if line else "P0",
    )


def _counts(units: Iterable[Unit]) -> tuple[tuple[State, int], ...]:
    tally = Counter(unit.state for unit in units)
    order = (State.COMPLIANT, *(state for state in STATES_BY_WORST if state != State.COMPLIANT))
    return tuple((state, tally[state]) for state in order)


def _bound(catalogue: Catalogue, units: Iterable[Unit]) -> tuple[Regime, ...]:
    used = {regime for unit in units for regime in unit.regimes}
    return tuple(regime for regime in catalogue.regimes if regime.id in used)


def _rows(
    catalogue: Catalogue,
    regime: str | None,
    units: tuple[Unit, ...],
    models: tuple[str, ...],
    intervals: tuple[IntervalRow, ...],
    now: int,
) -> list[Row]:
    wanted = _duties_of(catalogue, regime)
    answers = _by_duty(intervals)
    bound = {regime for unit in units for regime in unit.regimes}
    rows = []
    for duty in catalogue.duties:
        if wanted is not None and duty.id not in wanted:
            continue
        cells = tuple(
            _cell(duty, model, units, answers.get(duty.id, ()), regime, now) for model in models
        )
        if any(cell.binds for cell in cells):
            owed = _owed(answers.get(duty.id, ()))
            rows.append(Row(duty, cells, laws(duty, bound), owed))
    return sorted(rows, key=lambda row: SEVERITIES.index(row.duty.severity))


def _duties_of(catalogue: Catalogue, regime: str | None) -> set[str] | None:
    if regime is None:
        return None
    return {line.duty for each in catalogue.regimes if each.id == regime for line in each.lines}


def _by_duty(intervals: Iterable[IntervalRow]) -> dict[str, list[IntervalRow]]:
    found: dict[str, list[IntervalRow]] = defaultdict(list)
    for interval in intervals:
        found[interval.appraisal.duty].append(interval)
    return found


def laws(duty: Duty, bound: Iterable[str]) -> tuple[Clause, ...]:
    """The clauses that this duty decides under these regimes."""
    bound = set(bound)
    return tuple(clause for clause in duty.clauses if clause.decides and clause.regime in bound)


def _owed(answers: Iterable[IntervalRow]) -> tuple[Party, ...]:
    """By whom, most often first: one unit may be the maker's account, another the operator's."""
    tally = Counter(
        each.appraisal.owed_by
        for each in answers
        if each.appraisal.owed_by and each.appraisal.outcome is Outcome.NOT_MET
    )
    return tuple(party for party, _ in tally.most_common())


def _cell(
    duty: Duty,
    model: str,
    units: tuple[Unit, ...],
    answers: Iterable[IntervalRow],
    regime: str | None,
    now: int,
) -> Cell:
    ours = [
        unit
        for unit in units
        if unit.model == model
        and duty.id in unit.mandatory
        and (regime is None or regime in unit.regimes)
    ]
    failing = [unit for unit in ours if duty.id in unit.failing]
    open_ = _open(ours, answers)
    once = duty.subject is not Subject.UNIT
    return Cell(
        model=model,
        binds=len(ours),
        failing=min(len(failing), 1) if once else len(failing),
        open=len(open_),
        worst=_worst(ours, failing, open_),
        once=once,
        newly=sum((unit.failing_since or 0) > now - DAY for unit in failing),
    )


def _open(units: list[Unit], answers: Iterable[IntervalRow]) -> list[Unit]:
    undecided = {
        each.subject
        for each in answers
        if each.appraisal.outcome in (Outcome.NOT_SHOWN, Outcome.ERROR)
    }
    return [unit for unit in units if unit.row.id in undecided or unit.model in undecided]


def _worst(units: list[Unit], failing: list[Unit], open_: list[Unit]) -> State | None:
    if not units:
        return None
    if failing:
        silent = all(unit.state is State.STALE for unit in failing)
        return State.STALE if silent else State.NON_COMPLIANT
    return State.UNKNOWN if open_ else State.COMPLIANT


def _groups(rows: Iterable[Row]) -> tuple[Group, ...]:
    rows = list(rows)
    groups = (
        Group(severity, tuple(row for row in rows if row.duty.severity is severity))
        for severity in SEVERITIES
    )
    return tuple(group for group in groups if group.rows)


def _changes(
    catalogue: Catalogue,
    units: tuple[Unit, ...],
    intervals: Iterable[IntervalRow],
    now: int,
    *,
    fixed: bool,
) -> tuple[Change, ...]:
    """Unit duties that began to fail within a day, one line a duty."""
    by_id = {unit.row.id: unit for unit in units}
    found: dict[str, list[IntervalRow]] = defaultdict(list)
    for each in intervals:
        unit = by_id.get(each.subject)
        duty = each.appraisal.duty
        if unit and each.since > now - DAY and (fixed or duty in unit.failing):
            found[duty].append(each)
    return tuple(
        Change(
            duty,
            tuple(by_id[each.subject].row for each in found[duty.id]),
            max(each.since for each in found[duty.id]),
            fixed,
        )
        for duty in catalogue.duties
        if duty.id in found
    )


def _fixed(
    context: Context, catalogue: Catalogue, units: tuple[Unit, ...], now: int
) -> tuple[Change, ...]:
    """What failed yesterday and holds now, by comparing the two instants."""
    before = {
        (each.subject, each.appraisal.duty)
        for each in context.store.all_intervals(as_of=now - DAY)
        if each.appraisal.outcome is Outcome.NOT_MET
    }
    if not before:
        return ()
    mended = [
        each
        for each in context.store.all_intervals(as_of=now)
        if each.appraisal.outcome is Outcome.MET and (each.subject, each.appraisal.duty) in before
    ]
    return _changes(catalogue, units, mended, now, fixed=True)


def _findings(
    catalogue: Catalogue, units: tuple[Unit, ...], intervals: Iterable[IntervalRow]
) -> tuple[Finding, ...]:
    duties = {duty.id: duty for duty in catalogue.duties}
    found = []
    for each in intervals:
        said = each.appraisal
        if each.subject_kind == "unit" or said.outcome is not Outcome.NOT_MET:
            continue
        touched = sum(said.duty in unit.failing for unit in units if _under(each, unit))
        if touched and said.duty in duties:
            kind = Subject(each.subject_kind)
            found.append(Finding(duties[said.duty], kind, each.subject, each, touched))
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.duty.severity)))


def _under(interval: IntervalRow, unit: Unit) -> bool:
    """A model's finding stands on its units; of a release or maker any unit may be concerned."""
    return interval.subject_kind != "model" or interval.subject == unit.model
