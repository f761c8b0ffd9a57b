"""The findings as people read them: what is said alike of many units is one line.

A line names a few units and counts them all. So does the last line of a duty for everybody whose
answer is of the same kind in yet other words: a reader wants ten examples, a program has them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from ..core.duties import Subject
from .findings import Finding, Said
from .groups import Findings, Group, Own, by_subject
from .roll import MOST, Span

_MIXED = ("the others, each in words of its own", "")


@dataclass(slots=True)
class Line:
    """One answer, of all that were told it in the same words."""

    said: Said
    subject: str  # of what units stand under
    because: str
    remedy: str
    span: Span
    mixed: bool = False  # of many, each in words of its own

    def join(self, span: Span) -> None:
        self.span = self.span.join(span)

    def about(self, units: Sequence[str]) -> str:
        """These, of all the units of the report, which its cover names."""
        size = self.span.size
        everybody = size > MOST and size == len(units)
        names = f"all {size} units" if everybody else some(self.span.names, " ", size)
        if self.said.kind == Subject.UNIT:
            head = "unit " if size == 1 else "" if everybody else f"{size} units: "
            return head + names
        if self.mixed:
            return f"other {self.said.kind}s: {names}"
        subject = self.subject if len(self.subject) < 40 else f"{self.subject[:12]}…"
        return f"{self.said.kind} {subject}: {names}"

    @property
    def since(self) -> str:
        first, last = self.span.since
        return first if first == last else f"{first} to {last}"

    @property
    def evidence(self) -> str:
        return some(tuple(proof for _, proof in self.span.proofs), ", ", self.span.proven)


def lines(findings: Findings) -> list[Line]:
    """In the order of the report."""
    return [line for row in findings.rows for line in _bounded(_alike(row))]


def cut(units: Sequence[str]) -> str:
    """Where all names stand, if a line cannot hold them."""
    if len(units) <= MOST:
        return ""
    return (
        f"A line names {MOST} of its units and counts the others. In -f csv and -f json of this "
        "report each unit stands in each of its findings"
    )


def some(names: tuple[str, ...], between: str, size: int, most: int = MOST) -> str:
    more = f" and {size - most} more" if size > most else ""
    return between.join(names[:most]) + more


def _alike(row: Iterable[Group]) -> list[Line]:
    """What is said in the same words, in the order of the first unit of each."""
    found: dict[tuple[object, ...], Line] = {}
    for group in row:
        for line in _told(group):
            said = line.said
            laws = tuple(law.words for law in said.laws)
            key = (said.answer, line.subject, laws, said.party, said.assurance)
            alike = found.setdefault((*key, line.because, line.remedy, line.mixed), line)
            if alike is not line:
                alike.join(line.span)
    return sorted(found.values(), key=lambda line: (line.mixed, line.subject, line.span.names[0]))


def _told(group: Group) -> Iterator[Line]:
    """A line for each wording, as long as there are few."""
    if isinstance(group, Own):
        yield Line(group.said, "", group.because, group.remedy, group.span())
        return
    found: dict[tuple[str, str], list[Finding]] = {}
    for each in by_subject((group,)):
        words = (each.because, each.remedy)
        found.setdefault(words if words in found or len(found) < MOST else _MIXED, []).append(each)
    for words, ours in found.items():
        subject = "" if group.said.kind == Subject.UNIT else ours[0].subject
        yield Line(group.said, subject, *words, _span(ours), mixed=words is _MIXED)


def _span(findings: Sequence[Finding]) -> Span:
    since = [each.since for each in findings]
    proofs = [(each.subject, each.evidence) for each in findings if each.evidence]
    names = chain.from_iterable(each.units for each in findings)
    return Span(
        sum(len(each.units) for each in findings),
        tuple(islice(names, MOST)),
        (min(since), max(since)),
        tuple(proofs[:MOST]),
        len(proofs),
    )


def _bounded(found: list[Line]) -> Iterator[Line]:
    """The first lines of each kind of answer, and one for all the others."""
    told: Counter[str] = Counter()
    rest: dict[str, Line] = {}
    for line in found:
        answer = line.said.answer
        told[answer] += 1
        if told[answer] <= MOST and not line.mixed:
            yield line
        elif answer in rest:
            rest[answer].join(line.span)
        else:
            rest[answer] = Line(line.said, "", *_MIXED, line.span, mixed=True)
    yield from rest.values()
