"""The report as one HTML file without script or anything from elsewhere, to read and to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from ..core.duties import Outcome
from .lines import Line, cut, lines, some
from .report import LIMITS, METHOD, Report

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#ddd, #444); --breach: light-dark(#a11, #f88) }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } .says { font-size: 1.4rem; font-weight: 600; margin-top: .2rem }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top;
padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word }
.found { font-size: .9em } .found td:first-child { min-width: 12rem }
.found td:nth-child(6) { min-width: 16rem } small { display: block }
.breach { color: var(--breach) } tr { break-inside: avoid }
@media print { body { font-size: 9pt; max-width: none; margin: 0; padding: 0 } }
"""
_KEPT = (Outcome.MET, Outcome.NOT_APPLICABLE)
_HEAD = ("Duty", "Provisions", "Answer", "About", "Owed by", "Because, and what to do", "Rests on")


def write(report: Report) -> Iterator[str]:
    title = f"{report.regime.title}: {report.words}"
    short = lines(report.findings.only(lambda said: said.outcome not in _KEPT))
    kept = lines(report.findings.only(lambda said: said.outcome in _KEPT))
    says = "says breach" if report.breaches else "says"
    parts = [
        "<!doctype html>",
        f'<html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>',
        f"<style>{_STYLE}</style>",
        f"<h1>{escape(report.regime.title)}</h1>",
        f'<p class="{says}">{escape(report.words.capitalize())}</p>',
        _cover(report),
        "<h2>What falls short, or is not known</h2>",
        _table(_HEAD, (_row(line, report.units) for line in short)),
        "<h2>What is met, or does not apply</h2>",
        _table(_HEAD, (_row(line, report.units) for line in kept)),
        "</html>",
    ]
    yield "\n".join(parts) + "\n"


def _cover(report: Report) -> str:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in report.outcomes)
    rows = (
        ("Text", f"{report.regime.law}; {report.regime.version}"),
        ("Applies to", report.regime.condition),
        ("Scope", f"{report.scope}; as of {report.as_of}"),
        ("Units", some(report.units, " ", len(report.units), 100)),
        ("Lists", cut(report.units)),
        ("Answers", counts),
        ("Owed by", ", ".join(f"{party} {number}" for party, number in report.owed)),
        ("Method", METHOD),
        ("Assurance", ", ".join(f"{number} {word}" for word, number in report.assurances)),
        ("Limits", LIMITS),
        ("Engine", report.engine),
        ("Catalogue", report.catalogue),
        ("Regime", report.regime_digest),
        ("References", report.references),
        ("Feeds", "; ".join(report.feeds)),
        ("Check it again", "; ".join(report.again)),
    )
    return _table((), ((f"<b>{head}</b>", escape(text)) for head, text in rows if text))


def _row(line: Line, units: Sequence[str]) -> tuple[str, ...]:
    said, duty = line.said, line.said.duty
    answer = escape(said.answer)
    return (
        f"{escape(duty.title)} <small>{escape(duty.id)}, {escape(duty.severity.value)}</small>",
        escape("; ".join(law.words for law in said.laws)),
        (f'<b class="breach">{answer}</b>' if said.is_breach else answer)
        + f" <small>since {escape(line.since)}</small>",
        escape(line.about(units)),
        escape(said.party.value if said.party else ""),
        escape(line.because)
        + (f" <small><b>Do:</b> {escape(line.remedy)}</small>" if line.remedy else ""),
        escape(said.assurance)
        + (f" <small>evidence {escape(line.evidence)}</small>" if line.evidence else ""),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = "".join(f"<th>{escape(each)}" for each in head)
    lines = ["".join(f"<td>{cell}" for cell in row) for row in rows]
    if not lines:
        return "<p>None.</p>"
    top = f'<table class="found"><thead><tr>{heads}</thead>' if heads else "<table>"
    return top + "".join(f"\n<tr>{line}" for line in lines) + "\n</table>"
