"""The report as OSCAL assessment results: an observation an answer, a finding a clause.

OSCAL knows satisfied and not satisfied alone; what is neither is not satisfied for another reason
than failing, and no finding says more than its duty decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.duties import Outcome, Subject
from . import oscal
from .findings import Finding, Law
from .forms import Form, Rows, json_form, row
from .ids import provision, uid
from .report import LIMITS, METHOD, Report


def write(report: Report) -> Iterator[str]:
    title = f"{report.regime.title}: {report.words}"
    plan = f"Every duty that answers {report.regime.law}, asked of {report.scope}. {METHOD}"
    return oscal.dump(
        "assessment-results",
        {
            "uuid": uid(report, "assessment-results"),
            "metadata": oscal.metadata(report, title),
            "import-ap": {"href": f"#{uid(report, 'plan')}"},
            "results": [_result(report, title)],
            "back-matter": oscal.back_matter(report, "plan", plan),
        },
    )


def _result(report: Report, title: str) -> dict[str, Any]:
    asked = sorted(duty.id for duty in report.duties)
    found = {
        "uuid": uid(report, "result"),
        "title": title,
        "description": f"{report.scope}. {LIMITS}",
        "start": report.as_of,
        "end": report.as_of,
        "props": [oscal.prop("says", report.words)],
        "local-definitions": _definitions(report),
        "reviewed-controls": {
            "control-selections": [{"include-controls": [{"control-id": each} for each in asked]}]
        },
        "observations": _observations(report),
        "findings": _findings(report),
    }
    return {name: value for name, value in found.items() if value or name == "uuid"}


def _definitions(report: Report) -> dict[str, Any]:
    shared = report.findings.only(lambda said: said.kind != Subject.UNIT)
    others = {(each.kind, each.subject) for each in shared}
    units = ({"uuid": uid(report, "unit", name), "description": name} for name in report.units)
    found: dict[str, Any] = {
        "inventory-items": Rows(row(each, 6) for each in units) if report.units else None,
        "components": [
            {
                "uuid": uid(report, kind, subject),
                "type": "system",
                "title": subject,
                "description": f"{kind} {subject}",
                "status": {"state": "operational"},
            }
            for kind, subject in sorted(others)
        ],
    }
    return {name: value for name, value in found.items() if value}


def _observations(report: Report) -> Rows | None:
    form = json_form(
        lambda one: _observation(report, one),
        lambda one: _observed(report, one),
        lambda one: _subject(report, one),
        depth=5,
    )
    return Rows(map(form, report.findings)) if report.findings else None


def _findings(report: Report) -> Rows | None:
    """One for each clause that an answer decides."""
    found = report.findings.only(
        lambda said: said.outcome != Outcome.NOT_APPLICABLE and any(law.counts for law in said.laws)
    )
    forms: dict[int, Form] = {}

    def each(one: Finding) -> Iterator[str]:
        for number, law in enumerate(one.laws):
            if law.counts:
                yield forms.setdefault(number, _clause_form(report, number))(one)

    return Rows(text for one in found for text in each(one)) if found else None


def _clause_form(report: Report, number: int) -> Form:
    return json_form(
        lambda one: _finding(report, one, one.laws[number]),
        lambda one: _found(report, one, one.laws[number]),
        lambda one: _observed(report, one),
        depth=5,
    )


def _observation(report: Report, finding: Finding) -> dict[str, Any]:
    kind = "inventory-item" if finding.kind == "unit" else "component"
    evidence = f"evidence {finding.evidence}" if finding.evidence else "the verifier's own records"
    return {
        "uuid": _observed(report, finding),
        "title": finding.duty.title,
        "description": finding.because or finding.outcome,
        "methods": ["TEST"],
        "types": ["control-objective"],
        "subjects": [
            {
                "subject-uuid": _subject(report, finding),
                "type": kind,
                "title": finding.subject,
            }
        ],
        "relevant-evidence": [{"description": f"{evidence}, {finding.assurance} assurance"}],
        "collected": finding.since,
        "props": [
            oscal.prop("duty", finding.duty.id),
            oscal.prop("outcome", finding.outcome),
            oscal.prop("assurance", finding.assurance),
            oscal.prop("owed-by", finding.party.value if finding.party else "nobody"),
        ],
    }


def _finding(report: Report, finding: Finding, law: Law) -> dict[str, Any]:
    met = finding.outcome in (Outcome.MET, Outcome.DECLARED)
    reason = "pass" if met else "fail" if finding.is_breach else "other"
    return {
        "uuid": _found(report, finding, law),
        "title": f"{law.clause.provision or report.regime.title}: {finding.duty.title}",
        "description": finding.because or finding.outcome,
        "target": {
            "type": "objective-id",
            "target-id": provision(law.clause),
            "status": {"state": "satisfied" if met else "not-satisfied", "reason": reason},
        },
        "related-observations": [{"observation-uuid": _observed(report, finding)}],
    }


def _observed(report: Report, finding: Finding) -> str:
    return uid(report, "observation", *_key(finding))


def _found(report: Report, finding: Finding, law: Law) -> str:
    return uid(report, "finding", *_key(finding), law.clause.provision)


def _subject(report: Report, finding: Finding) -> str:
    return uid(report, finding.kind, finding.subject)


def _key(finding: Finding) -> tuple[str, ...]:
    return finding.duty.id, finding.kind, finding.subject, finding.outcome
