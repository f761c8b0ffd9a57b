"""One verdict as a document: every duty with its outcome, and by what it was decided.

Nothing is left out of it, so that who reads it sees that no check was skipped; and the same
evidence, catalogue, references and policy give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .. import __version__
from ..core.duties import Appraisal, Clause
from ..core.verdict import Catalogue, Regime, Verdict
from ..store import IncidentRow, Store
from .words import iso

ENGINE = f"troth {__version__}"


def document(
    verdict: Verdict, catalogue: Catalogue, *, evidence: int, at: int, references: str
) -> dict[str, Any]:
    """The verdict on one report as it came."""
    chosen = verdict.duty_set
    regimes = {each.id: each for each in catalogue.regimes}
    return {
        "schema": "troth/verdict/1",
        "evidence": evidence,
        "device": verdict.device,
        "at": iso(at),
        "state": verdict.state.value,
        "until": None if verdict.until is None else iso(verdict.until),
        "engine": ENGINE,
        "catalogue": catalogue.digest,
        "references": references,
        "duty_set": chosen.digest,
        "regimes": {ident: regime_digest(regimes[ident]) for ident in sorted(chosen.regimes)},
        "duties": [_answer(each, each.duty in chosen.mandatory) for each in verdict.appraisals],
    }


def text(said: dict[str, Any]) -> str:
    """Its one form."""
    return json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _answer(said: Appraisal, binds: bool) -> dict[str, Any]:
    return {
        "duty": said.duty,
        "binds": binds,
        "subject": said.subject.value,
        "outcome": said.outcome.value,
        "reason": said.reason.value if said.reason else None,
        "because": said.because,
        "assurance": said.assurance.value,
        "owed_by": said.owed_by.value if said.owed_by else None,
        "owed_because": said.owed_because,
        "remedy": said.remedy,
        "until": said.until,
    }


def regime_digest(regime: Regime) -> str:
    """Names the regime's own text: header, dates and every line."""
    lines = [
        (line.duty, line.since, line.until, line.placed_from, *_texts(line.clause))
        for line in regime.lines
    ]
    head = [regime.id, regime.version, regime.law, regime.binding, regime.in_force]
    head += [regime.placed_from, regime.placed_until, *regime.markets, *regime.product_classes]
    return hashlib.sha256(json.dumps([head, lines]).encode()).hexdigest()


def _texts(clause: Clause) -> tuple[object, ...]:
    weight = (clause.status, clause.decides, clause.confidence)
    return (clause.provision, clause.condition, *weight)


def _opened(row: IncidentRow) -> bytes:
    said = row.incident
    return repr((said.id, said.kind, said.title, said.models, said.aware, said.flaw)).encode()


def references(store: Store, as_of: int) -> str:
    """The version of the reference set: every record, feed and incident that was there by then."""
    records = [(row.added, "release", row.record) for row in store.releases()]
    records += [
        (row.release.withdrawn or 0, "withdrawal", row.withdrawal)
        for row in store.releases()
        if row.withdrawal is not None
    ]
    for model in sorted(store.stated_models()):
        records += [(row.at, "statement", row.record) for row in store.statements(model)]
    records += [(row.at, "baseline", row.record) for row in store.baselines(None, None)]
    records += [(row.waiver.created, "waiver", row.record) for row in store.waivers()]
    records += [(row.added, f"feed {row.at}", row.digest.encode()) for row in store.every_feed()]
    for case in ("", *(row.incident.id for row in store.incidents())):
        records += [(row.added, "step", repr(row).encode()) for row in store.incident_steps(case)]
    records += [(row.added, "incident", _opened(row)) for row in store.incidents()]
    told = sorted(
        f"{at} {kind} {hashlib.sha256(record).hexdigest()}"
        for at, kind, record in records
        if at <= as_of
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()
