"""What the duties say of a regime's provisions: decided, supported, or why neither."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..core.verdict import Regime
from .provisionfile import Provisions


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every provision of a regime stands in exactly one of these."""

    decided: tuple[str, ...]
    supported: tuple[str, ...]  # and not decided
    uncovered: tuple[tuple[str, str], ...]  # with the reason
    unexplained: tuple[str, ...]  # listed, and nobody says why no duty answers it
    needless: tuple[str, ...]  # explained away, though a duty answers it

    @property
    def total(self) -> int:
        groups = (self.decided, self.supported, self.uncovered, self.unexplained)
        return sum(len(group) for group in groups)

    @property
    def words(self) -> str:
        """One line, decided and supported apart."""
        none = len(self.uncovered) + len(self.unexplained)
        return (
            f"{self.total} provisions: {len(self.decided)} decided, "
            f"{len(self.supported)} supported, {none} answered by no duty"
        )


def coverage(regime: Regime, listed: Provisions | None) -> Coverage:
    """Count the regime's lines against its list; without a list, against what is cited."""
    decided = {line.clause.provision for line in regime.lines if line.clause.decides}
    used = {line.clause.provision for line in regime.lines}
    marks = listed.marks if listed else {}
    reasons = listed.uncovered if listed else {}
    return Coverage(
        decided=_sorted(decided),
        supported=_sorted(used - decided),
        uncovered=tuple((each, reasons[each]) for each in _sorted(reasons.keys() - used)),
        unexplained=_sorted(marks.keys() - used - reasons.keys()),
        needless=_sorted(reasons.keys() & used),
    )


def place(provision: str) -> list[tuple[int, str]]:
    """Where a provision stands: 5.2 before 5.10."""
    words = re.findall(r"\d+|\D+", provision)
    return [(int(word), "") if word.isdigit() else (0, word) for word in words]


def _sorted(provisions: set[str]) -> tuple[str, ...]:
    return tuple(sorted(provisions, key=place))
