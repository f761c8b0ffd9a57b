"""The report as CycloneDX 1.6 attestations (CDXA): claims about targets, with their evidence.

A provision is a requirement, an answer is a claim, and an answer that is not met is a counter
claim. Conformance is scored 1 or 0 where a duty decides a provision, and not at all elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from ..core.duties import Outcome
from .findings import Finding, Law, Said
from .forms import Rows, document, json_form, row
from .ids import provision, uid
from .report import LIMITS, Report

_GOOD = (Outcome.MET, Outcome.DECLARED)


def write(report: Report) -> Iterator[str]:
    claim = json_form(_claim, depth=3)
    evidence = json_form(lambda each: _evidence(report, each), depth=3)
    tree = {
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
            "claims": Rows(claim(each) for each in report.findings),
            "evidence": Rows(evidence(each) for each in report.findings),
            "targets": {"components": Rows(row(each, 4) for each in _targets(report))},
        },
        "definitions": {"standards": [_standard(report)]},
    }
    return document(tree)


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
    found: dict[str, dict[Said, list[Law]]] = defaultdict(lambda: defaultdict(list))
    for group in report.findings.groups:
        for law in group.said.laws:
            found[provision(law.clause)][group.said].append(law)
    return [_requirement(report, ref, laws) for ref, laws in sorted(found.items())]


def _requirement(report: Report, ref: str, laws: dict[Said, list[Law]]) -> dict[str, Any]:
    made: dict[str, Any] = {"requirement": ref}
    ours = report.findings.only(laws.__contains__)
    claims = ours.only(lambda said: said.outcome in _GOOD)
    against = ours.only(lambda said: said.outcome == Outcome.NOT_MET)
    for name, found in (("claims", claims), ("counterClaims", against)):
        if found:
            made[name] = Rows(row(_ref("claim", each)) for each in found for _ in laws[each.said])
    saids = [group.said for group in (*claims.groups, *against.groups)]
    decided = [said for said in saids if any(law.counts for law in laws[said])]
    if decided:
        breach = any(said.is_breach for said in decided)
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


def _targets(report: Report) -> Iterator[dict[str, str]]:
    kinds = {"unit": "device", "release": "firmware"}
    for kind, subject in sorted({(each.kind, each.subject) for each in report.findings}):
        yield {
            "type": kinds.get(kind, "application"),
            "bom-ref": f"{kind}:{subject}",
            "name": subject,
            "description": kind,
        }


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
