"""The report as CSV, a line per finding and provision; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io

from .findings import Report

HEAD = (
    *("regime", "provision", "status", "condition", "decides", "confidence", "force", "duty"),
    *("severity", "outcome", "reason", "breach", "subject_kind", "subject", "units", "owed_by"),
    *(
        "because",
        "assurance",
        "since",
        "evidence",
        "as_of",
        "engine",
        "catalogue",
        "regime_digest",
        "references",
    ),
)

_BEGINS = tuple("=+-@\t\r＝＋－＠")


def write(report: Report) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\r\n")
    rows.writerow(HEAD)
    digests = (report.catalogue, report.regime_digest, report.references)
    same = (report.as_of, report.engine, *digests)
    for finding in report.findings:
        for law in finding.laws:
            clause = law.clause
            cells = (
                *(report.regime.id, clause.provision, clause.status.value, clause.condition),
                *("yes" if clause.decides else "no", clause.confidence, law.force.value),
                *(finding.duty.id, finding.duty.severity.value, finding.outcome, finding.reason),
                *("yes" if finding.is_breach and law.counts else "no", finding.kind),
                *(finding.subject, " ".join(finding.units)),
                finding.party.value if finding.party else "",
                *(finding.because, finding.assurance, finding.since, finding.evidence, *same),
            )
            rows.writerow(safe(cell) for cell in cells)
    return out.getvalue()


def safe(cell: str) -> str:
    """A cell that begins like a formula, in any width, is text all the same."""
    return "'" + cell if cell and cell.lstrip()[:1] in _BEGINS else cell
