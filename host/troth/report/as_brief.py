"""The answer on one page, for somebody who is on the phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..core.duties import Outcome
from ..fleet.check import BASELINE
from ..fleet.words import count, plain
from .findings import STALE, Said
from .lines import lines
from .report import Report
from .roll import Span

_MOST = 8  # lines of one kind
_UNKNOWN = (Outcome.NOT_SHOWN, Outcome.ERROR, STALE)


def write(report: Report) -> Iterator[str]:
    short = "Falls short"
    if report.regime.id != BASELINE:
        short += ", but is no breach of its maker's"
    told = [
        f"{report.regime.title}: {report.words}",
        f"{report.scope}; as of {report.as_of}",
        "",
        *_kind(report, "Evidence of breach", lambda said: said.is_breach),
        *_kind(report, short, lambda said: _falls_short(said) and not said.is_breach),
        *_kind(report, "Nobody can say yet", lambda said: said.outcome in _UNKNOWN),
        *_kind(report, "Rests by a waiver", lambda said: said.outcome == Outcome.WAIVED),
        f"Met: {dict(report.outcomes).get('met', 0)} answers; {_assurance(report)}.",
        "No evidence of breach is not proof that a provision is kept.",
        "",
        f"engine      {report.engine}",
        f"catalogue   {report.catalogue}",
        f"regime      {report.regime_digest}",
        f"references  {report.references}",
        f"again       {report.again[0].partition(': ')[0].replace(' -f FORMAT', ' --brief')}",
    ]
    yield "\n".join(told) + "\n"


def _falls_short(said: Said) -> bool:
    return said.outcome == Outcome.NOT_MET


def _kind(report: Report, title: str, wanted: Callable[[Said], bool]) -> list[str]:
    """A line for each duty and party, the units counted and some of them named."""
    found: dict[tuple[str, str, str], Span] = {}
    for line in lines(report.findings.only(wanted)):
        laws = " ".join(law.text for law in line.said.laws)
        party = f", owed by {line.said.party.value}" if line.said.party else ""
        key = (line.said.duty.title, laws, party)
        found[key] = found[key].join(line.span) if key in found else line.span
    if not found:
        return []
    told = [f"{title}:"]
    for (name, laws, party), span in list(found.items())[:_MOST]:
        named = ", ".join(span.names[:3]) + (" ..." if span.size > 3 else "")
        told.append(f"  {plain(laws, 60)}  {name}{party}")
        told.append(f"      {count(span.size, 'unit')} ({named}), since {span.since[0]}")
    if len(found) > _MOST:
        told.append(f"  and {len(found) - _MOST} more")
    return [*told, ""]


def _assurance(report: Report) -> str:
    said = ", ".join(f"{number} {word}" for word, number in report.assurances)
    return f"by assurance: {said or 'none'}"
