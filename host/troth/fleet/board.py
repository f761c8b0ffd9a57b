"""Today: every duty against every model, what changed, who is silent, and what makers owe once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Duty, Outcome, Party, Severity, Subject
from ..core.verdict import Catalogue, Regime, State
from ..store.rows import IntervalRow, RejectionRow
from .context import Context
from .law import Reading, readings
from .turned import DAY, Change, Finding, by_duty, findings, fixed, newly_failing
from .units import Unit, list_units
from .words import SEVERITIES, STATES_BY_WORST


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
    laws: tuple[Reading, ...]  # those that bind some unit today; none: the baseline alone
    owed: tuple[Party, ...]

    @property
    def failing(self) -> int:
        return sum(cell.failing for cell in self.cells)

    @property
    def open(self) -> int:
        return sum(cell.open for cell in self.cells)

    @property
    def loud(self) -> bool:
        """Does it fail, or leave a state unknown? A low duty that is not shown decides nothing."""
        grave = self.duty.severity in (Severity.CRITICAL, Severity.HIGH)
        return bool(self.failing or (grave and self.open))


@dataclass(frozen=True, slots=True)
class Group:
    severity: Severity
    rows: tuple[Row, ...]


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
        groups=_groups(row for row in rows if row.loud),
        quiet=tuple(row for row in rows if not row.loud),
        regimes=_bound(catalogue, units),
        newly=newly_failing(catalogue, units, intervals, moment),
        fixed=fixed(context, catalogue, units, moment),
        silent=tuple(unit for unit in units if unit.state is State.STALE),
        findings=findings(context, catalogue, units, intervals),
        rejections=tuple(r for r in context.store.rejections(limit=12) if r.at <= moment),
        catalogue=catalogue.digest,
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
    answers = by_duty(intervals)
    kinds = [unit.registration for unit in units if unit.registration]
    rows = []
    for duty in catalogue.duties:
        if wanted is not None and duty.id not in wanted:
            continue
        cells = tuple(
            _cell(duty, model, units, answers.get(duty.id, ()), regime, now) for model in models
        )
        if any(cell.binds for cell in cells):
            laws = readings(duty, catalogue, kinds, now)
            owed = _owed(duty, units, answers.get(duty.id, ()))
            rows.append(Row(duty, cells, tuple(law for law in laws if law.binds), owed))
    return sorted(rows, key=lambda row: SEVERITIES.index(row.duty.severity))


def _duties_of(catalogue: Catalogue, regime: str | None) -> set[str] | None:
    if regime is None:
        return None
    return {line.duty for each in catalogue.regimes if each.id == regime for line in each.lines}


def _owed(duty: Duty, units: Iterable[Unit], answers: Iterable[IntervalRow]) -> tuple[Party, ...]:
    """By whom, most often first: one unit may be the maker's account, another the operator's."""
    failing = {unit.row.id for unit in units if duty.id in unit.failing}
    tally = Counter(
        each.appraisal.owed_by
        for each in answers
        if each.appraisal.owed_by
        and each.appraisal.outcome is Outcome.NOT_MET
        and (each.subject in failing or each.subject_kind != "unit")
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
