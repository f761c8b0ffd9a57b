"""The report as JUnit XML: a case per finding, for a pipeline that stops at what is not met."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..core.duties import Outcome
from .findings import Finding, Report


def write(report: Report) -> str:
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", name=report.regime.id, timestamp=report.as_of)
    properties = SubElement(suite, "properties")
    for name, value in (
        *(("says", report.words), ("scope", report.scope), ("engine", report.engine)),
        *(("catalogue", report.catalogue), ("regime_digest", report.regime_digest)),
        ("references", report.references),
    ):
        SubElement(properties, "property", name=name, value=value)
    for finding in report.findings:
        _case(suite, finding)
    for kind in ("failure", "error", "skipped"):
        total = len(suite.findall(f"testcase/{kind}"))
        suite.set({"failure": "failures", "error": "errors"}.get(kind, kind), str(total))
    suite.set("tests", str(len(report.findings)))
    indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suites, "unicode") + "\n"


def _case(suite: Element, finding: Finding) -> None:
    name = f"{finding.kind} {finding.subject}"
    case = SubElement(suite, "testcase", classname=finding.duty.id, name=name)
    laws = " ".join(law.text for law in finding.laws)
    match finding.outcome:
        case Outcome.MET | Outcome.DECLARED:
            return
        case Outcome.NOT_MET:
            kind = "evidence of breach" if finding.is_breach else "not-met"
            below = SubElement(case, "failure", message=finding.because, type=kind)
            party = finding.party.value if finding.party else "nobody"
            below.text = f"{laws}; owed by {party}: {finding.remedy}; evidence {finding.evidence}"
        case Outcome.ERROR:
            SubElement(case, "error", message=finding.because)
        case _:
            SubElement(case, "skipped", message=f"{finding.answer}: {finding.because}")
