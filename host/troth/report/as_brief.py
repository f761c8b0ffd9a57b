"""The answer on one page, for somebody who is on the phone."""

from __future__ import annotations

from collections import defaultdict

from ..core.duties import Outcome
from ..fleet.check import BASELINE
from ..fleet.words import count, plain
from .findings import STALE, Finding, Report

_MOST = 8  # lines of one kind
_UNKNOWN = (Outcome.NOT_SHOWN, Outcome.ERROR, STALE)


def write(report: Report) -> str:
    lines = [
        f"{report.regime.title}: {report.words}",
        f"{report.scope}; as of {report.as_of}",
        "",
        *_group("Evidence of breach", report.breaches),
        *_group(_others_title(report), _others(report)),
        *_group("Nobody can say yet", [f for f in report.findings if f.outcome in _UNKNOWN]),
        *_group("Rests by a waiver", [f for f in report.findings if f.outcome == Outcome.WAIVED]),
        f"Met: {dict(report.outcomes).get('met', 0)} answers; {_assurance(report)}.",
        "No evidence of breach is not proof that a provision is kept.",
        "",
        f"engine      {report.engine}",
        f"catalogue   {report.catalogue}",
        f"regime      {report.regime_digest}",
        f"references  {report.references}",
        f"again       {report.again[0].partition(': ')[0].replace(' -f FORMAT', ' --brief')}",
    ]
    return "\n".join(lines) + "\n"


def _others(report: Report) -> list[Finding]:
    short = (f for f in report.findings if f.outcome == Outcome.NOT_MET)
    return [finding for finding in short if not finding.is_breach]


def _others_title(report: Report) -> str:
    of_law = report.regime.id != BASELINE
    return "Falls short, but is no breach of its maker's" if of_law else "Falls short"


def _group(title: str, findings: list[Finding] | tuple[Finding, ...]) -> list[str]:
    """A line for each duty and party, the units counted and some of them named."""
    found: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for each in findings:
        laws = " ".join(law.text for law in each.laws)
        party = f", owed by {each.party.value}" if each.party else ""
        found[each.duty.title, laws, party].append(each)
    if not found:
        return []
    lines = [f"{title}:"]
    for (name, laws, party), ours in list(found.items())[:_MOST]:
        units = sorted({unit for each in ours for unit in each.units})
        named = ", ".join(units[:3]) + (" ..." if len(units) > 3 else "")
        since = min(each.since for each in ours)
        lines.append(f"  {plain(laws, 60)}  {name}{party}")
        lines.append(f"      {count(len(units), 'unit')} ({named}), since {since}")
    if len(found) > _MOST:
        lines.append(f"  and {len(found) - _MOST} more")
    return [*lines, ""]


def _assurance(report: Report) -> str:
    said = ", ".join(f"{number} {word}" for word, number in report.assurances)
    return f"by assurance: {said or 'none'}"
