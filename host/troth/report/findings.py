"""The report as one value: the same store, regime and instant give the same report, always.

It says evidence of breach or no evidence of breach, and never that anything complies: a finding
that resolves to the operator is no breach by the maker whom an act addresses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..core.duties import Appraisal, Clause, Duty, Outcome, Party, Subject
from ..core.verdict import Catalogue, Force, Regime, State, decides, force
from ..fleet.check import BASELINE
from ..fleet.context import Context
from ..fleet.proof import ENGINE, references, regime_digest
from ..fleet.sources import held
from ..fleet.units import Unit, list_units
from ..fleet.words import SEVERITIES, count, iso, plain
from ..store.rows import IntervalRow

STALE = "stale"
_GOOD = (Outcome.MET, Outcome.DECLARED)
METHOD = (
    "Each device signs what it is and runs; the verifier authenticates it, holds it against "
    "signed releases, statements and its own records, and answers every duty. A duty that decides "
    "a provision is evidence when it is not met; one that supports it settles nothing. What was "
    "not shown is said to be not shown."
)
LIMITS = (
    "No evidence of breach is not proof that a provision is kept, and evidence of breach is not "
    "the finding of a court. The assurance of each answer says on whose word it rests. A provision "
    "marked * awaits confirmation against its text."
)


@dataclass(frozen=True, slots=True)
class Law:
    """One clause of the regime behind a finding, and its force for these units."""

    clause: Clause
    force: Force
    counts: bool  # not met, it is evidence of breach

    @property
    def text(self) -> str:
        star = "*" if self.clause.confidence == "low" else ""
        return f"{self.clause.provision}{star}"

    @property
    def words(self) -> str:
        """With its weight: who reads the provision alone takes advice for law."""
        clause = self.clause
        condition = f" ({clause.condition})" if clause.condition else ""
        weight = "decided" if clause.decides else "supported"
        told = f"{self.text} {clause.status.value}{condition}, {weight}".strip()
        return told if self.force is not Force.TO_COME else f"{told}, not in force yet"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer about one subject, with the units that it is about."""

    duty: Duty
    outcome: str  # of Outcome, or stale: the last word is too old to count
    reason: str  # of what is not shown
    kind: str
    subject: str
    units: tuple[str, ...]
    laws: tuple[Law, ...]
    party: Party | None
    because: str
    remedy: str
    assurance: str
    since: str  # of what is not met: since when without a break, however it was reworded
    evidence: str

    @property
    def answer(self) -> str:
        if self.is_breach:
            return "evidence of breach"
        return f"{self.outcome} ({self.reason})" if self.reason else self.outcome

    @property
    def is_breach(self) -> bool:
        return (
            self.outcome == Outcome.NOT_MET
            and self.party is not Party.OPERATOR
            and any(law.counts and law.clause.regime != BASELINE for law in self.laws)
        )


@dataclass(frozen=True, slots=True)
class Report:
    regime: Regime
    model: str
    as_of: str
    engine: str
    catalogue: str
    regime_digest: str
    references: str  # digest of every record that the fleet was compared with by then
    feeds: tuple[str, ...]  # that were held, each with its age
    duties: tuple[Duty, ...]  # that the regime asks for
    units: tuple[str, ...]
    silent: tuple[str, ...]  # units of which nothing can be said now
    outcomes: tuple[tuple[str, int], ...]
    findings: tuple[Finding, ...]

    @property
    def breaches(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.is_breach)

    @property
    def words(self) -> str:
        if not self.units:
            return "no unit is concerned"
        if self.regime.id == BASELINE:  # hygiene, and nobody's law
            short = any(finding.outcome == Outcome.NOT_MET for finding in self.findings)
            return "falls short" if short else "holds"
        if self.breaches:
            return "evidence of breach"
        rests = any(finding.outcome == Outcome.WAIVED for finding in self.findings)
        return "no evidence of breach" + (" beyond what is waived" if rests else "")

    @property
    def owed(self) -> tuple[tuple[str, int], ...]:
        """How many findings each party owes."""
        short = (each for each in self.findings if each.outcome == Outcome.NOT_MET and each.party)
        return tuple(sorted(Counter(each.party.value for each in short if each.party).items()))

    @property
    def assurances(self) -> tuple[tuple[str, int], ...]:
        """On whose word the answers rest that are met."""
        met = (each.assurance for each in self.findings if each.outcome in _GOOD)
        return tuple(sorted(Counter(met).items()))

    @property
    def scope(self) -> str:
        of = f" of model {self.model}" if self.model else ""
        silent = f", {len(self.silent)} silent or unknown" if self.silent else ""
        return f"{count(len(self.units), 'unit')}{of}{silent}"

    @property
    def again(self) -> tuple[str, ...]:
        """How a reader checks it himself."""
        model = f" --model {self.model}" if self.model else ""
        same = f"troth report --regime {self.regime.id}{model} --as-of {self.as_of} -f FORMAT"
        return (
            f"{same}: the same store gives the same bytes",
            "troth evidence verify EVIDENCE: checks one report's signature and nonce again",
            f"troth regime show {self.regime.id}: which provisions no duty answers, and why",
        )


def report(
    context: Context, catalogue: Catalogue, regime: Regime, *, as_of: int, model: str = ""
) -> Report:
    """Everything that was known at that instant of the units that the regime concerns."""
    units = sorted(
        (
            unit
            for unit in list_units(context, as_of=as_of)
            if _concerned(unit, regime) and model in ("", unit.row.model)
        ),
        key=lambda unit: (unit.row.name, unit.row.id),
    )
    findings = tuple(_findings(context, catalogue, regime, units, as_of))
    tally = Counter(finding.outcome for finding in findings)
    return Report(
        regime=regime,
        model=model,
        as_of=iso(as_of),
        engine=ENGINE,
        catalogue=catalogue.digest,
        regime_digest=regime_digest(regime),
        references=references(context.store, as_of),
        feeds=tuple(_feeds(context, as_of)),
        duties=tuple(
            duty for duty in catalogue.duties if any(line.duty == duty.id for line in regime.lines)
        ),
        units=tuple(plain(unit.row.name) for unit in units),
        silent=tuple(
            plain(unit.row.name) for unit in units if unit.state in (State.STALE, State.UNKNOWN)
        ),
        outcomes=tuple(sorted(tally.items())),
        findings=findings,
    )


def _feeds(context: Context, as_of: int) -> Iterator[str]:
    """What a reader asks first of an answer on flaws: known by when?"""
    sources = held(context.store, context.policy, now=as_of)
    for each in sources:
        row = each.row
        if row.kind != "sbom":
            about = f" for {plain(row.subject)}" if row.subject else ""
            yield f"{row.kind}{about} of {iso(row.at)}, {each.state}"
    lists = sum(each.row.kind == "sbom" for each in sources)
    yield f"component lists of {count(lists, 'release')}"


def _concerned(unit: Unit, regime: Regime) -> bool:
    """A view is asked of every unit that is sold and of its kind."""
    if regime.binding:
        return regime.id in unit.regimes
    sold = unit.registration
    if sold is None or sold.own_use:
        return False
    return not regime.product_classes or sold.product_class in regime.product_classes


def _findings(
    context: Context, catalogue: Catalogue, regime: Regime, units: Iterable[Unit], as_of: int
) -> list[Finding]:
    answers: dict[tuple[str, str], list[IntervalRow]] = defaultdict(list)
    for row in context.store.all_intervals(as_of=as_of):
        answers[row.subject_kind, row.subject].append(row)
    groups: dict[tuple[str, str, str, str], list[tuple[Unit, IntervalRow]]] = defaultdict(list)
    asked = {line.duty for line in regime.lines}
    for unit in units:
        subjects = {"unit": unit.row.id, **context.store.subjects(unit.row.id, as_of=as_of)}
        for subject in subjects.items():
            for row in answers.get(subject, ()):
                if row.appraisal.duty in asked:
                    key = (row.appraisal.duty, *subject, _outcome(unit, row.appraisal))
                    groups[key].append((unit, row))
    duties = {duty.id: duty for duty in catalogue.duties}
    fails = context.store.failing_since(as_of=as_of)
    found = [
        _finding(duties[key[0]], key, members, regime, as_of, fails.get((key[1], key[2], key[0])))
        for key, members in groups.items()
    ]
    return sorted(found, key=_order)


def _outcome(unit: Unit, said: Appraisal) -> str:
    """A silent unit's last-good answer is not shown as if it held today."""
    rests = said.subject is Subject.UNIT and said.outcome is not Outcome.NOT_MET
    return STALE if unit.state is State.STALE and rests else said.outcome.value


def _finding(
    duty: Duty,
    key: tuple[str, str, str, str],
    members: list[tuple[Unit, IntervalRow]],
    regime: Regime,
    as_of: int,
    fails: int | None,
) -> Finding:
    row = members[0][1]
    said = row.appraisal
    laws = _laws(duty, regime, [unit for unit, _ in members], as_of)
    names = tuple(plain(unit.row.name) for unit, _ in members)
    return Finding(
        duty=duty,
        outcome=key[3],
        reason=said.reason.value if said.reason and key[3] == said.outcome else "",
        kind=key[1],
        subject=names[0] if key[1] == "unit" else plain(key[2]),
        units=names,
        laws=laws,
        party=said.owed_by,
        because=plain(said.because, 400),
        remedy=plain(said.remedy, 400),
        assurance=said.assurance.value,
        since=iso(row.since if fails is None else fails),
        evidence=str(row.evidence or ""),
    )


def _laws(duty: Duty, regime: Regime, units: Iterable[Unit], as_of: int) -> tuple[Law, ...]:
    strongest = list(Force)
    found = []
    for line in regime.lines:
        if line.duty != duty.id:
            continue
        strength = min(
            (force(line, regime, unit.registration, as_of) for unit in units if unit.registration),
            key=strongest.index,
            default=Force.ELSEWHERE,
        )
        counts = decides(line) and strength in (Force.BINDS, Force.VIEW)
        found.append(Law(line.clause, strength, counts))
    return tuple(found)


def _order(finding: Finding) -> tuple[object, ...]:
    """Breaches first, then what falls short, by severity."""
    short = (Outcome.NOT_MET, Outcome.ERROR, STALE, Outcome.NOT_SHOWN, Outcome.WAIVED)
    at = short.index(finding.outcome) if finding.outcome in short else len(short)
    severity = SEVERITIES.index(finding.duty.severity)
    return (not finding.is_breach, at, severity, finding.duty.id, finding.kind, finding.subject)
