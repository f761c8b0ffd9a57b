"""The report as JSON, schema troth/report/1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .findings import Finding
from .forms import Rows, document, json_form
from .report import LIMITS, METHOD, Report


def write(report: Report) -> Iterator[str]:
    form = json_form(_finding)
    return document(_tree(report, Rows(form(each) for each in report.findings)))


def _tree(report: Report, findings: Rows) -> dict[str, Any]:
    return {
        "schema": "troth/report/1",
        "regime": report.regime.id,
        "title": report.regime.title,
        "law": report.regime.law,
        "version": report.regime.version,
        "binding": report.regime.binding,
        "says": report.words,
        "scope": report.scope,
        "as_of": report.as_of,
        "engine": report.engine,
        "catalogue": report.catalogue,
        "regime_digest": report.regime_digest,
        "references": report.references,
        "feeds": list(report.feeds),
        "method": METHOD,
        "limits": LIMITS,
        "verify_again": list(report.again),
        "units": list(report.units),
        "silent": list(report.silent),
        "outcomes": dict(report.outcomes),
        "assurances": dict(report.assurances),
        "owed": dict(report.owed),
        "findings": findings,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "duty": finding.duty.id,
        "title": finding.duty.title,
        "severity": finding.duty.severity.value,
        "outcome": finding.outcome,
        "reason": finding.reason or None,
        "breach": finding.is_breach,
        "subject_kind": finding.kind,
        "subject": finding.subject,
        "units": list(finding.units),
        "owed_by": finding.party.value if finding.party else None,
        "because": finding.because,
        "remedy": finding.remedy,
        "assurance": finding.assurance,
        "since": finding.since,
        "evidence": finding.evidence or None,
        "provisions": [
            {
                "provision": law.clause.provision,
                "status": law.clause.status.value,
                "condition": law.clause.condition or None,
                "decides": law.clause.decides,
                "confidence": law.clause.confidence,
                "force": law.force.value,
            }
            for law in finding.laws
        ],
    }
