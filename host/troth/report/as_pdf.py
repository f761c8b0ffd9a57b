"""The report as a PDF to hand over: cover, scope, method, assurance, findings, how to check it.

The engine is an extra of its own (reportlab, BSD); the same report gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any
from xml.sax.saxutils import escape

from ..core.duties import Outcome
from ..trouble import Trouble
from . import as_brief
from .lines import Line, cut, lines, some
from .report import LIMITS, METHOD, Report

_KEPT = (Outcome.MET, Outcome.DECLARED, Outcome.NOT_APPLICABLE)
_HEAD = ("Duty and provisions", "Answer", "About", "Owed by", "Because, and what to do", "Rests on")
_WIDTHS = (0.2, 0.13, 0.13, 0.09, 0.31, 0.14)  # of the page


def write(report: Report) -> bytes:
    """Trouble `report.engine` where the PDF engine is not installed."""
    try:
        from reportlab.lib.pagesizes import A4, landscape
        from reportlab.platypus import SimpleDocTemplate
    except ImportError as err:
        raise Trouble(
            "report.engine",
            "a PDF needs an engine that is not installed",
            fix="pip install 'troth[pdf]', or -f html",
        ) from err
    out = io.BytesIO()
    page = SimpleDocTemplate(
        out,
        pagesize=landscape(A4),
        **dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 36),
        title=_latin(f"{report.regime.title}: {report.words}"),
        author=report.engine,
        subject=f"as of {report.as_of}",
        invariant=1,
    )
    short = report.findings.only(lambda said: said.outcome not in _KEPT)
    kept = report.findings.only(lambda said: said.outcome in _KEPT)
    story = [
        *_cover(report),
        _text("What falls short, or is not known", "Heading2"),
        *_findings(lines(short), report.units, page.width),
        _text("What is met, or does not apply", "Heading2"),
        *_findings(lines(kept), report.units, page.width),
    ]
    foot = f"{report.engine} · as of {report.as_of} · catalogue {report.catalogue[:16]}"

    def number(canvas: Any, _: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(36, 20, f"{foot} · page {canvas.getPageNumber()}")

    page.build(story, onFirstPage=number, onLaterPages=number)
    return out.getvalue()


def _cover(report: Report) -> list[Any]:
    kept = ", ".join(f"{number} {outcome}" for outcome, number in report.outcomes)
    owed = ", ".join(f"{party} {number}" for party, number in report.owed) or "nobody"
    worth = ", ".join(f"{number} {word}" for word, number in report.assurances) or "none"
    parts = (
        ("Text", f"{report.regime.law}; {report.regime.version}"),
        ("Applies to", report.regime.condition),
        ("Scope", f"{report.scope}: {some(report.units, ' ', len(report.units), 100)}"),
        ("Lists", cut(report.units)),
        ("Answers", f"{kept}. Shortfalls owed by: {owed}"),
        ("Method", METHOD),
        ("Assurance of what is met", f"{worth}. Software assurance is the device's own word."),
        ("Limits", LIMITS),
        ("Engine", report.engine),
        ("Catalogue", report.catalogue),
        ("Regime", report.regime_digest),
        ("References", report.references),
        ("Feeds", "; ".join(report.feeds)),
        ("Check it again", "; ".join(report.again)),
    )
    brief = "".join(as_brief.write(report)).split("\n\n")[1:-2]
    return [
        _text(report.regime.title, "Title"),
        _text(report.words.capitalize(), "Heading1"),
        _text(f"{report.scope}; as of {report.as_of}", "Normal"),
        *(
            _text(f"<b>{name}</b>: {escape(text)}", "Normal", raw=True)
            for name, text in parts
            if text
        ),
        *([_text("In short", "Heading2")] if brief else []),
        *(line for part in brief for line in _short(part)),
    ]


def _short(part: str) -> list[Any]:
    """What the one page says of one kind: its title, and a line for each duty."""
    title, *said = part.splitlines()
    told = [
        f"{duty.strip()}: {units.strip()}"
        for duty, units in zip(said[::2], said[1::2], strict=False)
    ]
    rest = [line.strip() for line in said[len(told) * 2 :]]
    return [_text(title, "Heading4"), *(_text(line, "Normal") for line in (*told, *rest))]


def _findings(found: Iterable[Line], units: Sequence[str], width: float) -> list[Any]:
    from reportlab.lib.colors import lightgrey
    from reportlab.platypus import Table, TableStyle

    rows = [[_text(cell, "BodyText") for cell in _row(each, units)] for each in found]
    if not rows:
        return [_text("None.", "Normal")]
    head = [_text(f"<b>{cell}</b>", "BodyText", raw=True) for cell in _HEAD]
    style = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.3, lightgrey)]
    widths = [width * part for part in _WIDTHS]
    return [Table([head, *rows], widths, repeatRows=1, splitInRow=1, style=TableStyle(style))]


def _row(line: Line, units: Sequence[str]) -> tuple[str, ...]:
    said, duty = line.said, line.said.duty
    laws = "; ".join(law.words for law in said.laws if law.text)
    todo = f". Do: {line.remedy}" if line.remedy else ""
    return (
        f"{duty.id}: {duty.title} ({duty.severity.value}). {laws}",
        f"{said.answer}, since {line.since}",
        line.about(units),
        said.party.value if said.party else "",
        line.because + todo,
        said.assurance + (f"; evidence {line.evidence}" if line.evidence else ""),
    )


def _text(text: str, style: str, *, raw: bool = False) -> Any:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph

    sheet = getSampleStyleSheet()[style]
    if style == "BodyText":
        sheet.fontSize, sheet.leading, sheet.spaceBefore = 7.5, 9, 0
    return Paragraph(_latin(text if raw else escape(text)), sheet)


def _latin(text: str) -> str:
    """The fonts of every reader know Latin alone; what they lack is spelled out."""
    return text.encode("cp1252", "backslashreplace").decode("cp1252")
