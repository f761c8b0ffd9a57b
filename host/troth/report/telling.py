"""What the units of a report are told, cohort by cohort: what many share is looked at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from ..core.duties import Appraisal, Outcome, Subject
from ..core.verdict import Catalogue, Regime, State
from ..fleet.cohorts import Cohort
from ..fleet.words import iso, plain
from ..store import Store
from ..store.rows import IntervalRow
from .findings import STALE, Finding, Said, laws
from .groups import Group, Live, Own, Shared
from .roll import Band, names

Roll = Sequence[tuple[Cohort, tuple[Band, ...]]]


def groups(
    store: Store, catalogue: Catalogue, regime: Regime, roll: Roll, as_of: int
) -> Iterator[Group]:
    """Every answer to a duty of the regime, with those to whom it was given."""
    if roll:
        fails = store.failing_rows(as_of)
        telling = _Telling(store, catalogue, regime, as_of, fails)
        for cohort, ours in roll:
            yield from telling.own(cohort, ours)
        yield from telling.shared(roll)


class _Telling:
    def __init__(
        self,
        store: Store,
        catalogue: Catalogue,
        regime: Regime,
        as_of: int,
        fails: dict[tuple[str, str, str], int],
    ) -> None:
        asked = {line.duty for line in regime.lines}
        self._duties = {duty.id: duty for duty in catalogue.duties if duty.id in asked}
        self._store, self._regime, self._as_of, self._fails = store, regime, as_of, fails
        # of one duty at a time
        self._words = lru_cache(maxsize=1)(lambda duty: store.words_of(duty, as_of))

    def own(self, cohort: Cohort, ours: tuple[Band, ...]) -> Iterator[Group]:
        for duty, told in cohort.answers.items():
            if duty not in self._duties or told.kind != Subject.UNIT:
                continue
            said = self._said(told.said, told.kind, _outcome(cohort, told.said), [cohort])
            if said.live:
                yield Live(said, ours, self._words, self._fails)
            else:
                yield Own(said, plain(told.said.because, 400), plain(told.said.remedy, 400), ours)

    def shared(self, roll: Roll) -> Iterator[Group]:
        under: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, (cohort, _) in enumerate(roll):
            for subject in cohort.subjects.items():
                under[subject].append(number)
        called: dict[tuple[int, ...], tuple[str, ...]] = {}
        for row in self._store.shared_intervals(as_of=self._as_of):
            numbers = tuple(under.get((row.subject_kind, row.subject), ()))
            if row.appraisal.duty not in self._duties or not numbers:
                continue
            members = [roll[number] for number in numbers]
            if numbers not in called:
                called[numbers] = names(members)
            yield Shared(self._finding(row, [cohort for cohort, _ in members], called[numbers]))

    def _finding(
        self, row: IntervalRow, cohorts: Sequence[Cohort], units: tuple[str, ...]
    ) -> Finding:
        said = row.appraisal
        key = (row.subject_kind, row.subject, said.duty)
        return Finding(
            self._said(said, row.subject_kind, said.outcome.value, cohorts),
            plain(row.subject),
            units,
            plain(said.because, 400),
            plain(said.remedy, 400),
            iso(self._fails.get(key, row.since)),
            str(row.evidence or ""),
        )

    def _said(self, said: Appraisal, kind: str, outcome: str, cohorts: Sequence[Cohort]) -> Said:
        duty = self._duties[said.duty]
        units = [each.registration for each in cohorts if each.registration]
        reason = said.reason.value if said.reason and outcome == said.outcome else ""
        return Said(
            duty,
            outcome,
            reason,
            kind,
            laws(duty, self._regime, units, self._as_of),
            said.owed_by,
            said.assurance.value,
            said.live and kind == Subject.UNIT,
        )


def _outcome(cohort: Cohort, said: Appraisal) -> str:
    """A silent unit's last-good answer is not shown as if it held today."""
    rests = said.subject is Subject.UNIT and said.outcome is not Outcome.NOT_MET
    return STALE if cohort.state is State.STALE and rests else said.outcome.value
