"""The report as CSV, a line per finding and provision; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from .findings import Finding
from .forms import Form
from .report import Report

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

_QUOTED = re.compile(r'[,"\r\n]')
_BEGINS = tuple("=+-@\t\r＝＋－＠")


def write(report: Report) -> Iterator[str]:
    digests = (report.catalogue, report.regime_digest, report.references)
    same = (report.as_of, report.engine, *digests)
    form = Form(lambda one: _text(_rows(report.regime.id, one, same)), _cell)
    yield _text([HEAD])
    yield from map(form, report.findings)


def _rows(regime: str, finding: Finding, same: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for law in finding.laws:
        clause = law.clause
        cells = (
            *(regime, clause.provision, clause.status.value, clause.condition),
            *("yes" if clause.decides else "no", clause.confidence, law.force.value),
            *(finding.duty.id, finding.duty.severity.value, finding.outcome, finding.reason),
            *("yes" if finding.is_breach and law.counts else "no", finding.kind),
            *(finding.subject, " ".join(finding.units)),
            finding.party.value if finding.party else "",
            *(finding.because, finding.assurance, finding.since, finding.evidence, *same),
        )
        yield tuple(map(safe, cells))


def _text(rows: Iterable[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def _cell(text: str) -> str:
    """A cell among others, as it stands in the file."""
    text = safe(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def safe(cell: str) -> str:
    """A cell that begins like a formula, in any width, is text all the same."""
    return "'" + cell if cell and cell.lstrip()[:1] in _BEGINS else cell
