"""The findings as people read them: what is said alike of many units is one line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..core.duties import Subject
from ..fleet.words import count
from .findings import Finding

_MOST = 12  # names on one line; the formats for programs have them all


@dataclass(frozen=True, slots=True)
class Line:
    """One answer, of all that were told it in the same words."""

    findings: tuple[Finding, ...]

    @property
    def finding(self) -> Finding:
        return self.findings[0]

    @property
    def units(self) -> tuple[str, ...]:
        return tuple(sorted({unit for each in self.findings for unit in each.units}))

    @property
    def about(self) -> str:
        first = self.finding
        if first.kind == Subject.UNIT:
            head = "unit" if len(self.units) == 1 else count(len(self.units), "unit") + ":"
            return f"{head} {some(self.units, ' ')}"
        subject = first.subject if len(first.subject) < 40 else f"{first.subject[:12]}…"
        return f"{first.kind} {subject}: {some(self.units, ' ')}"

    @property
    def since(self) -> str:
        first = min(each.since for each in self.findings)
        last = max(each.since for each in self.findings)
        return first if first == last else f"{first} to {last}"

    @property
    def evidence(self) -> str:
        told = (each.evidence for each in self.findings if each.evidence)
        return some(tuple(dict.fromkeys(told)), ", ")


def lines(findings: Iterable[Finding]) -> list[Line]:
    """In the order of the report."""
    found: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
    for each in findings:
        subject = "" if each.kind == Subject.UNIT else each.subject
        laws = tuple(law.words for law in each.laws)
        said = (each.answer, each.party, each.because, each.remedy, each.assurance)
        found[each.duty.id, each.kind, subject, laws, *said].append(each)
    return [Line(tuple(alike)) for alike in found.values()]


def some(names: tuple[str, ...], between: str, most: int = _MOST) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
