"""Today: every duty against every model, what changed, who is silent, and what makers owe once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Duty, Outcome, Party, Severity, Subject
from ..core.verdict import Catalogue, Regime, State
from ..store.fleet import Member
from ..store.rows import RejectionRow
from .cohorts import Cohort, cohorts
from .context import Context
from .law import Reading, readings
from .turned import DAY, Change, Finding, Since, findings, fixed, newly_failing
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
    since: int | None  # the first of them that fails without a break


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
    def since(self) -> int | None:
        return min((c.since for c in self.cells if c.since is not None), default=None)

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
    silent: tuple[Member, ...]
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
    found = cohorts(context, catalogue, as_of=as_of)
    fails = context.store.failing_since(as_of=as_of)
    models = tuple(sorted({each.model for each in found}))
    rows = _rows(catalogue, regime, found, models, fails, moment)
    silent = (name for each in found if each.state is State.STALE for name in each.members)
    shared = context.store.shared_intervals(as_of=as_of)
    return Today(
        as_of=moment,
        total=sum(each.size for each in found),
        counts=_counts(found),
        models=models,
        groups=_groups(row for row in rows if row.loud),
        quiet=tuple(row for row in rows if not row.loud),
        regimes=_bound(catalogue, found),
        newly=newly_failing(catalogue, found, fails, moment),
        fixed=fixed(context, catalogue, found, fails, moment),
        silent=tuple(sorted(silent, key=lambda member: member.name)),
        findings=findings(context, catalogue, found, shared),
        rejections=tuple(r for r in context.store.rejections(limit=12) if r.at <= moment),
        catalogue=catalogue.digest,
    )


def _counts(found: Iterable[Cohort]) -> tuple[tuple[State, int], ...]:
    tally: Counter[State] = Counter()
    for each in found:
        tally[each.state] += each.size
    order = (State.COMPLIANT, *(state for state in STATES_BY_WORST if state != State.COMPLIANT))
    return tuple((state, tally[state]) for state in order)


def _bound(catalogue: Catalogue, found: Iterable[Cohort]) -> tuple[Regime, ...]:
    used = {regime for each in found for regime in each.regimes}
    return tuple(regime for regime in catalogue.regimes if regime.id in used)


def _rows(
    catalogue: Catalogue,
    regime: str | None,
    found: tuple[Cohort, ...],
    models: tuple[str, ...],
    fails: Since,
    now: int,
) -> list[Row]:
    wanted = _duties_of(catalogue, regime)
    kinds = [each.registration for each in found if each.registration]
    rows = []
    for duty in catalogue.duties:
        if wanted is not None and duty.id not in wanted:
            continue
        cells = tuple(_cell(duty, model, found, fails, regime, now) for model in models)
        if any(cell.binds for cell in cells):
            laws = readings(duty, catalogue, kinds, now)
            rows.append(
                Row(duty, cells, tuple(law for law in laws if law.binds), _owed(duty, found))
            )
    return sorted(rows, key=lambda row: SEVERITIES.index(row.duty.severity))


def _duties_of(catalogue: Catalogue, regime: str | None) -> set[str] | None:
    if regime is None:
        return None
    return {line.duty for each in catalogue.regimes if each.id == regime for line in each.lines}


def _owed(duty: Duty, found: Iterable[Cohort]) -> tuple[Party, ...]:
    """By whom, most often first: one unit may be the maker's account, another the operator's."""
    tally: Counter[Party] = Counter()
    for each in found:
        answer = each.answers.get(duty.id)
        if answer and duty.id in each.failing and answer.said.owed_by:
            tally[answer.said.owed_by] += each.size
    return tuple(party for party, _ in tally.most_common())


def _cell(
    duty: Duty,
    model: str,
    found: tuple[Cohort, ...],
    fails: Since,
    regime: str | None,
    now: int,
) -> Cell:
    ours = [
        each
        for each in found
        if each.model == model
        and duty.id in each.mandatory
        and (regime is None or regime in each.regimes)
    ]
    failing = [each for each in ours if duty.id in each.failing]
    open_ = [each for each in ours if _is_open(duty, each)]
    once = duty.subject is not Subject.UNIT
    many = sum(each.size for each in failing)
    began = [at for each in failing for at in _began(duty, each, fails)]
    return Cell(
        model=model,
        binds=sum(each.size for each in ours),
        failing=min(many, 1) if once else many,
        open=sum(each.size for each in open_),
        worst=_worst(ours, failing, open_),
        once=once,
        newly=sum(at > now - DAY for at in began),
        since=min(began, default=None),
    )


def _is_open(duty: Duty, cohort: Cohort) -> bool:
    answer = cohort.answers.get(duty.id)
    return answer is not None and answer.said.outcome in (Outcome.NOT_SHOWN, Outcome.ERROR)


def _began(duty: Duty, cohort: Cohort, fails: Since) -> list[int]:
    """When each of them began to fail it."""
    answer = cohort.answers.get(duty.id)
    if answer is None:
        return []
    if answer.subject:
        since = fails.get((answer.kind, answer.subject, duty.id))
        return [] if since is None else [since] * cohort.size
    keys = (("unit", member.id, duty.id) for member in cohort.members)
    return [fails[key] for key in keys if key in fails]


def _worst(ours: list[Cohort], failing: list[Cohort], open_: list[Cohort]) -> State | None:
    if not ours:
        return None
    if failing:
        silent = all(each.state is State.STALE for each in failing)
        return State.STALE if silent else State.NON_COMPLIANT
    return State.UNKNOWN if open_ else State.COMPLIANT


def _groups(rows: Iterable[Row]) -> tuple[Group, ...]:
    rows = list(rows)
    groups = (
        Group(severity, tuple(row for row in rows if row.duty.severity is severity))
        for severity in SEVERITIES
    )
    return tuple(group for group in groups if group.rows)
