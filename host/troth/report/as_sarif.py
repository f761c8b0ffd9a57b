"""The report as SARIF 2.1.0: duties are rules, findings are results."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from ..core.duties import Duty, Outcome, Severity
from .findings import STALE, Finding
from .forms import Rows, document, json_form
from .report import Report

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_KINDS = {
    Outcome.MET.value: "pass",
    Outcome.DECLARED.value: "pass",
    Outcome.NOT_MET.value: "fail",
    Outcome.WAIVED.value: "fail",  # with its suppression
    Outcome.NOT_APPLICABLE.value: "notApplicable",
    Outcome.NOT_SHOWN.value: "open",
    Outcome.ERROR.value: "open",
    STALE: "open",
}
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning"}


def write(report: Report) -> Iterator[str]:
    duties = {group.said.duty.id: group.said.duty for group in report.findings.groups}
    order = sorted(duties)
    form = json_form(lambda each: _result(each, order.index(each.duty.id)), _print, depth=4)
    run = {
        "tool": {
            "driver": {
                "name": "troth",
                "semanticVersion": report.engine.removeprefix("troth "),
                "rules": [_rule(duties[ident]) for ident in order],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": Rows(form(each) for each in report.findings),
        "properties": {
            "regime": report.regime.id,
            "says": report.words,
            "scope": report.scope,
            "asOf": report.as_of,
            "catalogue": report.catalogue,
            "regimeDigest": report.regime_digest,
            "references": report.references,
        },
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return document(log)


def _rule(duty: Duty) -> dict[str, Any]:
    return {
        "id": duty.id,
        "shortDescription": {"text": duty.title},
        "fullDescription": {"text": duty.rationale},
        "help": {"text": "; ".join(f"{party.value}: {text}" for party, text in duty.remedies)},
        "defaultConfiguration": {"level": _LEVELS.get(duty.severity, "note")},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    kind = _KINDS[finding.outcome]
    found: dict[str, Any] = {
        "ruleId": finding.duty.id,
        "ruleIndex": index,
        "kind": kind,
        "level": _LEVELS.get(finding.duty.severity, "note") if kind == "fail" else "none",
        "message": {"text": finding.because},
        "locations": [
            {"logicalLocations": [{"fullyQualifiedName": unit, "kind": "resource"}]}
            for unit in finding.units
        ],
        "partialFingerprints": {"troth/1": _print(finding)},
        "properties": {
            "outcome": finding.outcome,
            "reason": finding.reason or None,
            "breach": finding.is_breach,
            "owedBy": finding.party.value if finding.party else None,
            "assurance": finding.assurance,
            "since": finding.since,
            "evidence": finding.evidence or None,
            "provisions": [law.text for law in finding.laws],
        },
    }
    if finding.outcome == Outcome.WAIVED:
        found["suppressions"] = [{"kind": "external", "justification": finding.because}]
    return found


def _print(finding: Finding) -> str:
    mark = f"{finding.duty.id} {finding.kind} {finding.subject}"
    return hashlib.sha256(mark.encode()).hexdigest()
