"""The report as one HTML file without script or anything from elsewhere, to read and to print."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from .findings import LIMITS, METHOD, Finding, Report

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top;
padding: .3rem .6rem; border-bottom: 1px solid #ccc } code { overflow-wrap: anywhere }
.says { font-size: 1.4rem; font-weight: 600 }
"""
_HEAD = ("Duty", "Provisions", "Answer", "About", "Owed by", "Because", "Assurance", "Evidence")


def write(report: Report) -> str:
    title = f"{report.regime.title}: {report.words}"
    short = [each for each in report.findings if each.outcome not in ("met", "not-applicable")]
    kept = [each for each in report.findings if each.outcome in ("met", "not-applicable")]
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(report.regime.title)}</h1>",
        f'<p class="says">{escape(report.words)}</p>',
        _cover(report),
        "<h2>What falls short, or is not known</h2>",
        _table(_HEAD, map(_row, short)),
        "<h2>What is met, or does not apply</h2>",
        _table(_HEAD, map(_row, kept)),
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _cover(report: Report) -> str:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in report.outcomes)
    rows = (
        ("Text", f"{report.regime.law}; {report.regime.version}"),
        ("Applies to", report.regime.condition),
        ("Scope", f"{report.scope}; as of {report.as_of}"),
        ("Units", " ".join(report.units)),
        ("Answers", counts),
        ("Owed by", ", ".join(f"{party} {number}" for party, number in report.owed)),
        ("Method", METHOD),
        ("Assurance", ", ".join(f"{number} {word}" for word, number in report.assurances)),
        ("Limits", LIMITS),
        ("Engine", report.engine),
        ("Catalogue", report.catalogue),
        ("Regime", report.regime_digest),
        ("References", report.references),
        ("Check it again", "; ".join(report.again)),
    )
    return _table((), ((f"<b>{head}</b>", escape(text)) for head, text in rows if text))


def _row(finding: Finding) -> tuple[str, ...]:
    cells = (
        f"{finding.duty.id}: {finding.duty.title} ({finding.duty.severity.value})",
        "; ".join(law.words for law in finding.laws),
        f"{finding.answer}, since {finding.since}",
        f"{finding.kind} {' '.join(finding.units)}",
        finding.party.value if finding.party else "",
        finding.because + (f". Do: {finding.remedy}" if finding.remedy else ""),
        finding.assurance,
        finding.evidence,
    )
    return tuple(map(escape, cells))


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f"<th>{escape(each)}" for each in head)
    lines = ["".join(f"<td>{cell}" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>"
    return "<table>" + "".join(f"\n<tr>{line}" for line in [heads, *lines] if line) + "\n</table>"
