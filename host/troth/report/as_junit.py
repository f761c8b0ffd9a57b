"""The report as JUnit XML: a case per finding, for a pipeline that stops at what is not met."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from ..core.duties import Outcome
from .findings import Finding
from .report import Report

_PASSED = (Outcome.MET, Outcome.DECLARED)
_TAIL = "\n  </testsuite>\n</testsuites>"


def write(report: Report) -> Iterator[str]:
    suites = Element("testsuites")
    suite = SubElement(suites, "testsuite", name=report.regime.id, timestamp=report.as_of)
    for name, total in _totals(report):
        suite.set(name, str(total))
    properties = SubElement(suite, "properties")
    for name, value in (
        *(("says", report.words), ("scope", report.scope), ("engine", report.engine)),
        *(("catalogue", report.catalogue), ("regime_digest", report.regime_digest)),
        ("references", report.references),
    ):
        SubElement(properties, "property", name=name, value=value)
    indent(suites)
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    yield tostring(suites, "unicode").removesuffix(_TAIL)
    for finding in report.findings:
        case = _case(finding)
        indent(case, level=2)
        yield "\n    " + tostring(case, "unicode")
    yield _TAIL + "\n"


def _totals(report: Report) -> Iterator[tuple[str, int]]:
    outcomes = dict(report.outcomes)
    failures = outcomes.pop(Outcome.NOT_MET, 0)
    errors = outcomes.pop(Outcome.ERROR, 0)
    passed = sum(outcomes.pop(each, 0) for each in _PASSED)
    skipped = sum(outcomes.values())
    yield from (("failures", failures), ("errors", errors), ("skipped", skipped))
    yield "tests", failures + errors + passed + skipped


def _case(finding: Finding) -> Element:
    name = f"{finding.kind} {finding.subject}"
    case = Element("testcase", classname=finding.duty.id, name=name)
    laws = " ".join(law.text for law in finding.laws)
    match finding.outcome:
        case Outcome.MET | Outcome.DECLARED:
            pass
        case Outcome.NOT_MET:
            kind = "evidence of breach" if finding.is_breach else "not-met"
            below = SubElement(case, "failure", message=finding.because, type=kind)
            party = finding.party.value if finding.party else "nobody"
            below.text = f"{laws}; owed by {party}: {finding.remedy}; evidence {finding.evidence}"
        case Outcome.ERROR:
            SubElement(case, "error", message=finding.because)
        case _:
            SubElement(case, "skipped", message=f"{finding.answer}: {finding.because}")
    return case
