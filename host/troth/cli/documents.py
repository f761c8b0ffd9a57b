"""The JSON documents of the operator's commands, each under its schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..fleet.words import iso

if TYPE_CHECKING:  # the store behind these costs a quarter of a second that help need not pay
    from ..fleet.bundle import Reproduced
    from ..fleet.check import Check, Tally
    from ..fleet.device import DeviceView, Proof
    from ..fleet.evidence import EvidenceView
    from ..fleet.gaps import Missing
    from ..fleet.units import Unit
    from ..fleet.whatif import Difference
    from ..store.rows import EvidenceRow, IntervalRow, JudgedRow, RejectionRow, StateRow


def moment(at: int | None) -> str | None:
    return None if at is None else iso(at)


def unit(each: Unit) -> dict[str, Any]:
    return {
        "id": each.row.id,
        "name": each.row.name,
        "ueid": each.row.ueid,
        "model": each.row.model,
        "chip": each.row.chip,
        "profile": each.profile,
        "lifecycle": each.row.lifecycle.value,
        "market": each.row.market,
        "own_use": each.row.own_use,
        "state": each.state.value,
        "since": moment(each.since),
        "failing": list(each.failing),
        "failing_since": moment(each.failing_since),
        "last_evidence": moment(each.last_evidence),
    }


def device(view: DeviceView) -> dict[str, Any]:
    return {
        "schema": "troth/device/1",
        "as_of": iso(view.as_of),
        "id": view.row.id,
        "name": view.row.name,
        "ueid": view.row.ueid,
        "model": view.row.model,
        "chip": view.row.chip,
        "lifecycle": view.row.lifecycle.value,
        "own_use": view.row.own_use,
        "market": view.row.market,
        "placed_on_market": moment(view.row.placed_on_market),
        "state": view.state.value,
        "since": moment(view.since),
        "why": view.sentence,
        "failing_since": moment(view.failing_since),
        "owed": [
            {
                "party": account.party.value,
                "duties": list(account.duties),
                "because": list(account.because),
            }
            for account in view.accounts
        ],
        "regimes": list(view.regimes),
        "duty_set": view.duty_set,
        "catalogue": view.catalogue or None,
        "duties": [proof(each) for each in view.proofs],
        "upcoming": [
            {
                "duty": each.duty,
                "regime": each.regime,
                "provision": each.provision,
                "since": iso(each.since),
                "condition": each.condition,
            }
            for each in view.upcoming
        ],
        "if_sold": None
        if view.if_sold is None
        else {"would_fail": view.if_sold[0], "of": view.if_sold[1]},
        "keys": [
            {"kid": key.kid.hex(), "epoch": key.epoch, "origin": key.origin}
            | {"created": iso(key.created), "revoked": moment(key.revoked)}
            | {"retired": key.retired, "wanted": key.kid == view.turning}
            for key in view.keys
        ],
        "provisioning": None
        if view.provisioning is None
        else {
            "at": iso(view.provisioning.at),
            "profile": view.provisioning.profile.value,
            "fuses": view.provisioning.fuses,
            "failing": list(view.provisioning.failing),
        },
        "reports": [report(each) for each in view.reports],
        "late": [report(each) for each in view.late],
        "missing": missing(view.missing),
        "rejections": [rejection(each) for each in view.rejections],
    }


def proof(each: Proof) -> dict[str, Any]:
    said = each.said
    return {
        "duty": each.duty.id,
        "title": each.duty.title,
        "severity": each.duty.severity.value,
        "subject": said.subject.value,
        "binds": each.binds,
        "outcome": said.outcome.value,
        "reason": said.reason.value if said.reason else None,
        "because": said.because,
        "assurance": said.assurance.value,
        "owed_by": said.owed_by.value if said.owed_by else None,
        "owed_because": said.owed_because,
        "remedy": said.remedy,
        "until": moment(said.until),
        "since": iso(each.since),
        "failing_since": moment(each.failing_since),
        "evidence": each.evidence,
        "clauses": [
            {
                "regime": law.clause.regime,
                "version": law.clause.version,
                "provision": law.clause.provision,
                "status": law.clause.status.value,
                "decides": law.clause.decides,
                "confidence": law.clause.confidence,
                "force": law.force.value,
                "words": law.words,
            }
            for law in each.laws
        ],
    }


def report(row: EvidenceRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "received": iso(row.received),
        "given": iso(row.given),
        "freshness": row.freshness.value,
        "state": row.state.value,
        "boot": row.boot_count,
        "counter": row.counter,
        "uptime_s": row.uptime_s,
        "set": row.set_digest.hex(),
        "kid": row.key_id.hex(),
        "bytes": len(row.raw),
    }


def missing(lacking: Missing) -> dict[str, Any]:
    return {
        "reports": lacking.reports,
        "dropped": lacking.dropped,
        "gaps": [
            {"boot": gap.boot, "first": gap.first, "last": gap.last, "before": iso(gap.before)}
            for gap in lacking.gaps
        ],
    }


def rejection(row: RejectionRow) -> dict[str, Any]:
    return {"at": iso(row.at), "code": row.code, "path": row.path, "text": row.text}


def interval(row: IntervalRow) -> dict[str, Any]:
    said = row.appraisal
    return {
        "duty": said.duty,
        "subject": row.subject_kind,
        "outcome": said.outcome.value,
        "because": said.because,
        "owed_by": said.owed_by.value if said.owed_by else None,
        "since": iso(row.since),
        "to": moment(row.to),
        "evidence": row.evidence,
    }


def judged(row: JudgedRow) -> dict[str, Any]:
    return {
        "since": iso(row.at),
        "catalogue": row.rules.catalogue or None,
        "policy": json.loads(row.rules.policy or "null"),
    }


def state(row: StateRow) -> dict[str, Any]:
    return {
        "state": row.state.value,
        "since": iso(row.since),
        "to": moment(row.to),
        "failing": list(row.failing),
        "duty_set": row.duty_set,
        "evidence": row.evidence,
    }


def check(result: Check, exit_code: int) -> dict[str, Any]:
    return {
        "schema": "troth/check/1",
        "as_of": iso(result.as_of),
        "exit": exit_code,
        "devices": result.units,
        "states": {name: state.value for name, state in result.states.items()},
        "duties": [tally(each) for each in result.tallies],
        "regimes": [
            {
                "id": ruling.regime.id,
                "units": ruling.units,
                "words": ruling.words,
                "failing": list(ruling.failing),
                "silent": ruling.silent,
                "upcoming": list(ruling.coming),
                "waived": list(ruling.waived),
                "not_shown": list(ruling.unshown),
                "breaches": [
                    {
                        "duty": breach.duty,
                        "provision": breach.provision,
                        "owed_by": breach.party.value,
                        "devices": list(breach.units),
                    }
                    for breach in ruling.breaches
                ],
            }
            for ruling in result.rulings
        ],
    }


def bundle(found: Reproduced, exit_code: int) -> dict[str, Any]:
    return {
        "schema": "troth/reproduced/1",
        "exit": exit_code,
        "device": found.device,
        "made": found.made,
        "engine": found.engine,
        "catalogue": found.catalogue,
        "references": found.references,
        "verdicts": [
            {
                "evidence": each.evidence,
                "received": iso(each.at),
                "again": each.fate.value,
                "state": each.state.value if each.state else None,
                "recorded": each.recorded.value,
                "why": each.why or None,
            }
            for each in found.verdicts
        ],
    }


def what_if(found: tuple[Difference, ...], digest: str, exit_code: int) -> dict[str, Any]:
    return {
        "schema": "troth/whatif/1",
        "catalogue": digest,
        "exit": exit_code,
        "differences": [
            {
                "name": each.device,
                "duty": each.duty.id,
                "from": each.before.value if each.before else None,
                "to": each.said.outcome.value,
                "binds": each.binds,
                "state_from": each.state_before.value,
                "state": each.state.value,
                "because": each.said.because,
            }
            for each in found
        ],
    }


def tally(each: Tally) -> dict[str, Any]:
    return {
        "duty": each.duty.id,
        "severity": each.duty.severity.value,
        "outcomes": {outcome.value: n for outcome, n in each.outcomes},
        "stale": each.stale,
        "failing": list(each.failing),
        "failing_since": moment(each.since),
        "owed_by": [party.value for party in each.owed],
    }


def evidence(view: EvidenceView, schema: str) -> dict[str, Any]:
    return {
        "schema": schema,
        **report(view.row),
        "device": view.device.id,
        "name": view.device.name,
        "against": view.against,
        "nonce": view.challenge.nonce.hex() if view.challenge else None,
        "release": view.release.version if view.release else None,
        "claims": [
            {
                "claim": row.claim,
                "said": row.said,
                "expected": row.expected,
                "match": row.match.value,
                "duties": list(row.duties),
            }
            for row in view.claims
        ],
    }
