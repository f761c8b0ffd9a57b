"""What is brought in from outside, as its keeper asks about it: of when it is, whether it still
counts, and which duties nobody can answer without it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..core.duties import Duty, Outcome, Reason, Subject
from ..core.feeds import Feeds
from ..core.reference import Policy
from ..core.verdict import Catalogue
from ..store import FeedRow, Store
from .cohorts import Cohort, Told, cohorts
from .context import Context
from .turned import subject_name
from .words import SEVERITIES

STANDING = ("vex", "sbom")  # they stand until another takes their place
_BROUGHT = {f"v.{each.name}" for each in fields(Feeds)}
# which command would answer, by how the names begin that a duty asks; the first that fits
_COMMANDS = {
    "v.sbom": "troth feed add sbom FILE --release RELEASE",
    "v.component": "troth feed add eol FILE",
    "v.contact": "troth feed add contact FILE --model MODEL",
    "v.vuln": "troth feed add osv PLACE, beside each release's component list",
    "v.": "troth incident review",
}


@dataclass(frozen=True, slots=True)
class Source:
    """The newest state of one source, or the register of incidents, which is kept here."""

    row: FeedRow
    until: int | None  # from then on it is too old to say anything; None: it stands
    is_stale: bool

    @property
    def state(self) -> str:
        return "stands" if self.until is None else "stale" if self.is_stale else "fresh"


@dataclass(frozen=True, slots=True)
class Gap:
    """A duty that is not shown for want of a feed."""

    duty: Duty
    because: tuple[str, ...]
    subjects: tuple[str, ...]  # `1.4.0 of therm-v2`; of what is judged once
    units: int
    binds: bool  # for some of these units
    command: str


def held(store: Store, policy: Policy, *, now: int) -> tuple[Source, ...]:
    """The last of each kind, source and subject by then."""
    rows = {
        (row.kind, row.source, row.subject): row
        for row in (*store.every_feed(), *_register(store, now))
        if row.added <= now
    }
    return tuple(source_of(rows[key], policy, now=now) for key in sorted(rows))


def gaps(context: Context, catalogue: Catalogue, *, as_of: int | None = None) -> tuple[Gap, ...]:
    """What nobody can answer until a feed is brought, or brought anew."""
    found: dict[str, list[tuple[Cohort, Told]]] = defaultdict(list)
    asking = {duty.id: duty for duty in catalogue.duties if _BROUGHT & set(duty.names)}
    for cohort in cohorts(context, catalogue, as_of=as_of):
        for ident in asking.keys() & cohort.answers.keys():
            told = cohort.answers[ident]
            if told.said.outcome is Outcome.NOT_SHOWN and told.said.reason is Reason.NO_FEED:
                found[ident].append((cohort, told))
    made = (_gap(context, asking[ident], answers) for ident, answers in found.items())
    return tuple(sorted(made, key=lambda each: (not each.binds, _weight(each), each.duty.id)))


def _weight(gap: Gap) -> int:
    return SEVERITIES.index(gap.duty.severity)


def _gap(context: Context, duty: Duty, answers: Iterable[tuple[Cohort, Told]]) -> Gap:
    told = tuple(answers)
    because = Counter(each.said.because for _, each in told)
    subjects = {each.subject for _, each in told} if duty.subject is not Subject.UNIT else set()
    kind = duty.subject.value
    return Gap(
        duty,
        tuple(text for text, _ in because.most_common()),
        tuple(sorted(subject_name(context, kind, each) for each in subjects)),
        sum(cohort.size for cohort, _ in told),
        any(duty.id in cohort.mandatory for cohort, _ in told),
        next(_COMMANDS[begin] for begin in _COMMANDS if _asks(duty, begin)),
    )


def _asks(duty: Duty, begin: str) -> bool:
    return any(name.startswith(begin) for name in duty.names if name in _BROUGHT)


def source_of(row: FeedRow, policy: Policy, *, now: int) -> Source:
    until = None if row.kind in STANDING else row.at + policy.max_feed_age
    return Source(row, until, until is not None and until <= now)


def _register(store: Store, now: int) -> tuple[FeedRow, ...]:
    """The register of incidents counts from when it was last touched, or found complete."""
    opened = [(row.added, row.by) for row in store.incidents() if row.added <= now]
    cases = ("", *(row.incident.id for row in store.incidents()))
    steps = [(row.added, row.by) for case in cases for row in store.incident_steps(case)]
    touched = [*opened, *(each for each in steps if each[0] <= now)]
    if not touched:
        return ()
    at, by = max(touched)
    return (FeedRow(0, "incidents", "", "", at, len(opened), "", at, by),)
