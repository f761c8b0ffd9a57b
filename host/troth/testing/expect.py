"""What each fault must cause, no more and no less: the emulator's own table, read once."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..core.verdict import State
from .children import emulator
from .ledger import Standing


@dataclass(frozen=True, slots=True)
class Expected:
    duties: frozenset[str]
    findings: frozenset[str]
    rejected: frozenset[str]
    state: State
    when: str  # factory: the board is born with it; field; statement: the maker's paper alone
    profiles: tuple[str, ...] = ("P0", "P2")

    def holds(self, standing: Standing | None) -> bool:
        """Is it exactly this?"""
        return standing is not None and not self.differs(standing)

    def differs(self, standing: Standing) -> str:
        """What is more or less than it must be, in words; empty when nothing is."""
        pairs = (
            ("duties", self.duties, {row.appraisal.duty for row in standing.own}),
            ("findings", self.findings, {row.appraisal.duty for row in standing.inherited}),
            ("rejected", self.rejected, set(standing.rejected)),
            ("state", {self.state.value}, {standing.state.value}),
        )
        return "; ".join(
            f"{name} {sorted(got) or 'none'}, expected {sorted(want) or 'none'}"
            for name, want, got in pairs
            if want != got
        )


HEALTHY = Expected(frozenset(), frozenset(), frozenset(), State.COMPLIANT, "field")


def read_expectations() -> dict[str | None, Expected]:
    """By fault name; None is the board without a fault."""
    rows = json.loads(emulator("faults", "--json"))["faults"]
    return {None: HEALTHY} | {
        row["name"]: Expected(
            frozenset(row["duties"]),
            frozenset(row["findings"]),
            frozenset(row["rejected"]),
            State(row["state"]),
            row["when"],
            tuple(row["profiles"]),
        )
        for row in rows
    }
