"""One device as its operator asks about it: state, why, since when, on whose account, what next."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.device import Provisioning
from ..core.duties import Appraisal, Assurance, Duty, Outcome, Party, Subject
from ..core.verdict import Catalogue, State, Upcoming, duty_set, would_fail_if_sold
from ..store import Store
from ..store.rows import (
    DeviceRow,
    EvidenceRow,
    IntervalRow,
    KeyRow,
    RejectionRow,
    StateRow,
)
from ..trouble import Trouble
from .context import Context
from .gaps import Missing, missing
from .law import Reading, readings
from .words import SEVERITIES, ago, count, day


@dataclass(frozen=True, slots=True)
class Proof:
    """One duty as it stands for one device, with what proves it."""

    duty: Duty
    said: Appraisal
    binds: bool  # is it in the unit's duty set today?
    laws: tuple[Reading, ...]  # the clauses that it decides for this unit come first
    since: int
    evidence: int | None
    failing_since: int | None = None  # without a break, however often it was reworded

    @property
    def fails(self) -> bool:
        return self.said.outcome is Outcome.NOT_MET

    @property
    def inherited(self) -> bool:
        """Judged once for a release, model or maker, and only shown here."""
        return self.said.subject is not Subject.UNIT


@dataclass(frozen=True, slots=True)
class Account:
    """What one party owes on this device, and the reason that the party rule gave."""

    party: Party
    duties: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceView:
    row: DeviceRow
    state: State
    since: int | None
    sentence: str
    proofs: tuple[Proof, ...]
    regimes: tuple[str, ...]
    duty_set: str
    catalogue: str  # by which it was judged; empty: not on record
    mandatory: int
    upcoming: tuple[Upcoming, ...]
    accounts: tuple[Account, ...]
    if_sold: tuple[int, int] | None  # own use: how many of all duties it would fail if sold
    keys: tuple[KeyRow, ...]
    turning: bytes | None  # the key that its operator wants replaced
    provisioning: Provisioning | None
    reports: tuple[EvidenceRow, ...]
    late: tuple[EvidenceRow, ...]  # history: they say nothing of now
    missing: Missing  # signed by the board, and not on record
    rejections: tuple[RejectionRow, ...]
    as_of: int

    @property
    def failing(self) -> tuple[Proof, ...]:
        return tuple(proof for proof in self.proofs if proof.binds and proof.fails)

    @property
    def open(self) -> tuple[Proof, ...]:
        """Binding duties that nothing decided: not shown, or our own fault."""
        undecided = (Outcome.NOT_SHOWN, Outcome.ERROR)
        return tuple(p for p in self.proofs if p.binds and p.said.outcome in undecided)

    @property
    def waived(self) -> tuple[Proof, ...]:
        """Binding duties that somebody lets rest until a day; judged all the same."""
        return tuple(p for p in self.proofs if p.binds and p.said.outcome is Outcome.WAIVED)

    @property
    def held(self) -> tuple[Proof, ...]:
        shown = (*self.failing, *self.open, *self.waived)
        return tuple(proof for proof in self.proofs if proof.binds and proof not in shown)

    @property
    def beyond(self) -> tuple[Proof, ...]:
        """Answered as well, but nobody demands it of this unit today."""
        return tuple(proof for proof in self.proofs if not proof.binds)

    @property
    def failing_since(self) -> int | None:
        return min((proof.failing_since or proof.since for proof in self.failing), default=None)

    @property
    def last_evidence(self) -> EvidenceRow | None:
        return self.reports[0] if self.reports else None


def view_device(
    context: Context, catalogue: Catalogue, ref: str, *, now: int, as_of: int | None = None
) -> DeviceView:
    """All that is known of a device now, or was at `as_of`. Trouble `device.unknown`."""
    store = context.store
    row = find_device(store, ref)
    unit = context.unit(row.id)
    moment = now if as_of is None else as_of
    written = store.state(row.id, as_of=as_of)
    proofs = _proofs(context, catalogue, row, written, moment, as_of)
    reports, late = (
        tuple(e for e in store.evidences(row.id, limit=20, late=came_late) if e.received <= moment)
        for came_late in (False, True)
    )
    state = written.state if written else State.UNKNOWN
    return DeviceView(
        row=row,
        state=state,
        since=written.since if written else None,
        sentence=sentence(state, proofs, reports, moment),
        proofs=proofs,
        regimes=written.regimes if written else (),
        duty_set=written.duty_set if written else "",
        catalogue=_catalogue(store, as_of) if written else "",
        mandatory=len(written.mandatory) if written else 0,
        upcoming=duty_set(catalogue, unit, moment).upcoming if unit else (),
        accounts=accounts(proofs),
        if_sold=_if_sold(context, catalogue, row, now),
        keys=store.keys(row.id),
        turning=turning.kid if (turning := store.rotations().get(row.id)) else None,
        provisioning=store.provisioning(row.id),
        reports=reports,
        late=late,
        missing=missing(store, row.id, until=moment),
        rejections=tuple(r for r in store.rejections(row.id, limit=20) if r.at <= moment),
        as_of=moment,
    )


def _catalogue(store: Store, as_of: int | None) -> str:
    judged = store.judged(as_of)
    return judged[0].rules.catalogue if judged else ""


def find_device(store: Store, ref: str) -> DeviceRow:
    """By id, name, ueid or MAC."""
    row = store.device(ref)
    if row is None:
        raise Trouble(
            "device.unknown", f"no device {ref[:60]!r} in {store.url}", fix="troth device list"
        )
    return row


def sentence(
    state: State, proofs: Iterable[Proof], reports: tuple[EvidenceRow, ...], now: int
) -> str:
    """One sentence: what falls short, since when, and because of what."""
    binding = [proof for proof in proofs if proof.binds]
    failing = [proof for proof in binding if proof.fails]
    if not reports:
        return "It has not reported yet."
    if state is State.STALE:
        return f"Silent: its last evidence is of {ago(reports[0].given, now)}; nothing since."
    if failing:
        since = min(proof.failing_since or proof.since for proof in failing)
        why = failing[0].said.because.rstrip(".")
        return f"Fails {len(failing)} of {count(len(binding), 'duty')} since {day(since)}: {why}."
    return _holding(binding)


def _holding(binding: list[Proof]) -> str:
    met = sum(proof.said.outcome is Outcome.MET for proof in binding)
    absent = sum(proof.said.outcome is Outcome.NOT_APPLICABLE for proof in binding)
    not_shown = sum(proof.said.outcome is Outcome.NOT_SHOWN for proof in binding)
    waived = sum(proof.said.outcome is Outcome.WAIVED for proof in binding)
    words = [f"{met} of {count(len(binding), 'duty')} met"]
    words += [f"{absent} not applicable"] if absent else []
    words += [f"{not_shown} not shown"] if not_shown else []
    words += [f"{waived} waived"] if waived else []
    return ", ".join(words) + f", {assurance(binding)} assurance."


def assurance(binding: Iterable[Proof]) -> str:
    """The weakest proof that this unit itself gave: its own word, or something harder."""
    order = (Assurance.SOFTWARE, Assurance.HARDWARE, Assurance.OBSERVED)
    used = {
        proof.said.assurance
        for proof in binding
        if not proof.inherited and proof.said.outcome is Outcome.MET
    }
    return next((kind.value for kind in order if kind in used), "no")


def accounts(proofs: Iterable[Proof]) -> tuple[Account, ...]:
    """The boundary: every failing duty on one party's account, never on everybody's."""
    found: dict[Party, list[Proof]] = {}
    for proof in proofs:
        if proof.binds and proof.fails and proof.said.owed_by:
            found.setdefault(proof.said.owed_by, []).append(proof)
    return tuple(
        Account(
            party,
            tuple(proof.duty.id for proof in owed),
            tuple(dict.fromkeys(proof.said.owed_because for proof in owed)),
        )
        for party, owed in found.items()
    )


def _proofs(
    context: Context,
    catalogue: Catalogue,
    row: DeviceRow,
    written: StateRow | None,
    now: int,
    as_of: int | None,
) -> tuple[Proof, ...]:
    duties = {duty.id: duty for duty in catalogue.duties}
    mandatory = set(written.mandatory) if written else set()
    unit = context.unit(row.id)
    units = (unit,) if unit else ()
    answers = _answers(context.store, row.id, as_of)
    fails: dict[tuple[str, str, str], int] = {}
    for kind, subject in {(each.subject_kind, each.subject) for each in answers}:
        fails |= context.store.failing_since(subject, kind=kind, as_of=as_of)
    found = [
        Proof(
            duties[answer.appraisal.duty],
            answer.appraisal,
            answer.appraisal.duty in mandatory,
            readings(duties[answer.appraisal.duty], catalogue, units, now),
            answer.since,
            answer.evidence,
            fails.get((answer.subject_kind, answer.subject, answer.appraisal.duty)),
        )
        for answer in answers
        if answer.appraisal.duty in duties  # a duty that the catalogue dropped is history only
    ]
    return tuple(sorted(found, key=_rank))


def _answers(store: Store, device: str, as_of: int | None) -> list[IntervalRow]:
    subjects = {"unit": device, **store.subjects(device, as_of=as_of)}
    return [
        interval
        for kind, subject in subjects.items()
        for interval in store.intervals(subject, kind=kind, as_of=as_of)
    ]


_ORDER = (
    Outcome.NOT_MET,
    Outcome.ERROR,
    Outcome.NOT_SHOWN,
    Outcome.WAIVED,
    Outcome.DECLARED,
    Outcome.MET,
    Outcome.NOT_APPLICABLE,
)


def _rank(proof: Proof) -> tuple[bool, int, int, str]:
    return (
        not proof.binds,
        _ORDER.index(proof.said.outcome),
        SEVERITIES.index(proof.duty.severity),
        proof.duty.id,
    )


def _if_sold(
    context: Context, catalogue: Catalogue, row: DeviceRow, now: int
) -> tuple[int, int] | None:
    facts = context.standing_facts(row.id, now=now) if row.own_use else None
    if facts is None:
        return None
    return len(would_fail_if_sold(facts, catalogue)), len(catalogue.duties)
