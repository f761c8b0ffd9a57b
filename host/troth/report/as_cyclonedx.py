"""The report as CycloneDX 1.6 attestations (CDXA): claims about targets, with their evidence.

A provision is a requirement, an answer is a claim, and an answer that is not met is a counter
claim. Conformance is scored 1 or 0 where a duty decides a provision, and not at all elsewhere.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from ..core.duties import Outcome
from .findings import LIMITS, Finding, Report
from .ids import provision, uid


def write(report: Report) -> str:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uid(report, 'cyclonedx')}",
        "version": 1,
        "metadata": {
            "timestamp": report.as_of,
            "tools": {"components": [_tool(report)]},
            "properties": _properties(report),
        },
        "declarations": {
            "assessors": [{"bom-ref": "assessor", "thirdParty": False}],
            "attestations": [
                {
                    "summary": f"{report.words}; {report.scope}; as of {report.as_of}. {LIMITS}",
                    "assessor": "assessor",
                    "map": _map(report),
                }
            ],
            "claims": [_claim(each) for each in report.findings],
            "evidence": [_evidence(report, each) for each in report.findings],
            "targets": {"components": _targets(report)},
        },
        "definitions": {"standards": [_standard(report)]},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _tool(report: Report) -> dict[str, str]:
    name, _, version = report.engine.partition(" ")
    return {"type": "application", "name": name, "version": version}


def _properties(report: Report) -> list[dict[str, str]]:
    found = {
        "catalogue": report.catalogue,
        "regime": report.regime_digest,
        "references": report.references,
        "says": report.words,
    }
    return [{"name": f"troth:{name}", "value": value} for name, value in found.items()]


def _map(report: Report) -> list[dict[str, Any]]:
    """For each provision the answers that speak of it."""
    found: dict[str, list[tuple[Finding, bool]]] = defaultdict(list)
    for finding in report.findings:
        for law in finding.laws:
            found[provision(law.clause)].append((finding, law.counts))
    return [_requirement(ref, answers) for ref, answers in sorted(found.items())]


def _requirement(ref: str, answers: list[tuple[Finding, bool]]) -> dict[str, Any]:
    against = [each for each, _ in answers if each.outcome == Outcome.NOT_MET]
    claims = [each for each, _ in answers if each.outcome in (Outcome.MET, Outcome.DECLARED)]
    made: dict[str, Any] = {"requirement": ref}
    if claims:
        made["claims"] = [_ref("claim", each) for each in claims]
    if against:
        made["counterClaims"] = [_ref("claim", each) for each in against]
    decided = [each for each, counts in answers if counts and each in (*claims, *against)]
    if decided:
        breach = any(each.is_breach for each in decided)
        made["conformance"] = {
            "score": 0 if breach else 1,
            "rationale": "evidence of breach" if breach else "no evidence of breach",
        }
    return made


def _claim(finding: Finding) -> dict[str, Any]:
    made: dict[str, Any] = {
        "bom-ref": _ref("claim", finding),
        "target": f"{finding.kind}:{finding.subject}",
        "predicate": f"{finding.duty.id}: {finding.outcome}",
        "reasoning": f"{finding.because} ({finding.assurance} assurance)",
    }
    counters = finding.outcome == Outcome.NOT_MET
    made["counterEvidence" if counters else "evidence"] = [_ref("evidence", finding)]
    if finding.remedy and counters:
        made["mitigationStrategies"] = [_ref("evidence", finding)]
    return made


def _evidence(report: Report, finding: Finding) -> dict[str, Any]:
    rests = f"evidence {finding.evidence}" if finding.evidence else "the verifier's own records"
    todo = f"; to do: {finding.remedy}" if finding.remedy else ""
    return {
        "bom-ref": _ref("evidence", finding),
        "propertyName": f"troth:{finding.duty.id}",
        "description": f"{rests}, holding since {finding.since}{todo}",
        "created": report.as_of,
    }


def _ref(kind: str, finding: Finding) -> str:
    return ":".join((kind, finding.duty.id, finding.kind, finding.subject, finding.outcome))


def _targets(report: Report) -> list[dict[str, str]]:
    found = sorted({(each.kind, each.subject) for each in report.findings})
    kinds = {"unit": "device", "release": "firmware"}
    return [
        {
            "type": kinds.get(kind, "application"),
            "bom-ref": f"{kind}:{subject}",
            "name": subject,
            "description": kind,
        }
        for kind, subject in found
    ]


def _standard(report: Report) -> dict[str, Any]:
    regime = report.regime
    clauses = {provision(line.clause): line.clause for line in regime.lines}
    return {
        "bom-ref": regime.id,
        "name": regime.title,
        "version": regime.version,
        "description": regime.law,
        "requirements": [
            {"bom-ref": ref, "identifier": clause.provision or "baseline"}
            for ref, clause in sorted(clauses.items())
        ],
    }
