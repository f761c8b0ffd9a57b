"""What the verifier says of the boards of a story, read from its store at one moment."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.duties import Outcome, Subject
from ..core.verdict import State
from ..store import DeviceRow, IntervalRow, Store

_OWN = (Subject.UNIT, Subject.RELEASE)  # what stands on the board; the rest stands once


@dataclass(frozen=True, slots=True)
class Standing:
    """One board: its state and the not-met answers of its duty set."""

    device: DeviceRow
    state: State
    answers: tuple[IntervalRow, ...]
    rejected: tuple[str, ...]
    heard: int  # when it last spoke, believed or not

    @property
    def own(self) -> tuple[IntervalRow, ...]:
        """Falls short itself, or by the release that it runs."""
        return tuple(row for row in self.answers if row.appraisal.subject in _OWN)

    @property
    def inherited(self) -> tuple[IntervalRow, ...]:
        """Findings of its model or maker."""
        return tuple(row for row in self.answers if row.appraisal.subject not in _OWN)


def read_standing(store: Store, name: str) -> Standing | None:
    """None as long as the board is not enrolled or never reported."""
    device = store.device(name)
    state = store.state(device.id) if device else None
    if device is None or state is None:
        return None
    answers = [
        row
        for kind, subject in sorted(store.subjects(device.id).items())
        for row in store.intervals(subject, kind=kind)
        if row.appraisal.outcome is Outcome.NOT_MET and row.appraisal.duty in state.mandatory
    ]
    refused = store.rejections(device.id, limit=500)
    last = store.latest_evidence(device.id)
    heard = max((row.at for row in refused), default=0)
    return Standing(
        device,
        state.state,
        tuple(answers),
        tuple(sorted({row.code for row in refused})),
        max(heard, last.received if last else 0),
    )


def findings(standings: list[Standing]) -> list[dict[str, object]]:
    """Each finding of a model or maker once, with the boards that inherit it."""
    found: dict[tuple[str, str, str], dict[str, object]] = {}
    heirs: dict[tuple[str, str, str], list[str]] = {}
    for standing in standings:
        for row in standing.inherited:
            said = row.appraisal
            key = (said.duty, row.subject_kind, row.subject)
            heirs.setdefault(key, []).append(standing.device.name)
            found[key] = {
                "duty": said.duty,
                "subject": row.subject_kind,
                "of": row.subject,
                "owed_by": said.owed_by,
                "because": said.because,
                "boards": heirs[key],
            }
    return list(found.values())
