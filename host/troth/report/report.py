"""The report as one value: the same store, regime and instant give the same report, always.

It says evidence of breach or no evidence of breach, and never that anything complies: a finding
that resolves to the operator is no breach by the maker whom an act addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..core.duties import Duty, Outcome
from ..core.verdict import Catalogue, Regime, State
from ..fleet.check import BASELINE
from ..fleet.cohorts import Cohort, cohorts
from ..fleet.context import Context
from ..fleet.proof import ENGINE, references, regime_digest
from ..fleet.sources import held
from ..fleet.words import count, iso, plain
from .findings import Said
from .groups import Findings
from .roll import bands, names
from .telling import groups

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
    findings: Findings

    @property
    def breaches(self) -> Findings:
        return self.findings.only(lambda said: said.is_breach)

    @property
    def words(self) -> str:
        if not self.units:
            return "no unit is concerned"
        outcomes = dict(self.outcomes)
        if self.regime.id == BASELINE:  # hygiene, and nobody's law
            return "falls short" if Outcome.NOT_MET in outcomes else "holds"
        if self.breaches:
            return "evidence of breach"
        rests = Outcome.WAIVED in outcomes
        return "no evidence of breach" + (" beyond what is waived" if rests else "")

    @property
    def outcomes(self) -> tuple[tuple[str, int], ...]:
        """How many findings have each outcome."""
        return _counted((said.outcome, size) for said, size in self._sizes)

    @property
    def owed(self) -> tuple[tuple[str, int], ...]:
        """How many findings each party owes."""
        return _counted(
            (said.party.value, size)
            for said, size in self._sizes
            if said.outcome == Outcome.NOT_MET and said.party
        )

    @property
    def assurances(self) -> tuple[tuple[str, int], ...]:
        """On whose word the answers rest that are met."""
        return _counted(
            (said.assurance, size) for said, size in self._sizes if said.outcome in _GOOD
        )

    @property
    def _sizes(self) -> Iterator[tuple[Said, int]]:
        return ((group.said, group.size) for group in self.findings.groups)

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
    concerned = [
        each
        for each in cohorts(context, catalogue, as_of=as_of)
        if _concerned(each, regime) and model in ("", each.model)
    ]
    stays = context.store.stays(as_of) if concerned else {}
    roll = [(each, bands(each, stays)) for each in concerned]
    silent = [each for each in roll if each[0].state in (State.STALE, State.UNKNOWN)]
    asked = {line.duty for line in regime.lines}
    return Report(
        regime=regime,
        model=model,
        as_of=iso(as_of),
        engine=ENGINE,
        catalogue=catalogue.digest,
        regime_digest=regime_digest(regime),
        references=references(context.store, as_of),
        feeds=tuple(_feeds(context, as_of)),
        duties=tuple(duty for duty in catalogue.duties if duty.id in asked),
        units=names(roll),
        silent=names(silent),
        findings=Findings.of(groups(context.store, catalogue, regime, roll, as_of)),
    )


def _counted(found: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    counts: Counter[str] = Counter()
    for word, size in found:
        counts[word] += size
    return tuple(sorted(counts.items()))


def _concerned(cohort: Cohort, regime: Regime) -> bool:
    """A view is asked of every unit that is sold and of its kind."""
    if regime.binding:
        return regime.id in cohort.regimes
    sold = cohort.registration
    if sold is None or sold.own_use:
        return False
    return not regime.product_classes or sold.product_class in regime.product_classes


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
