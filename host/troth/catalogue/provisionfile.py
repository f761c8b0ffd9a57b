"""One provisions file: which ids a regime really has, and why some of them no duty answers.

Ids only, never a sentence of a standard. `complete` says for what part of the regime the list is
whole: a reference to an id that is not there is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core.duties import Status
from ..trouble import Trouble
from . import lines
from .lines import Table
from .regimefile import is_under

_FIELDS = {"regime", "version", "complete", "scope", "provisions", "uncovered"}
# how a standard marks a provision: mandatory or recommended, under a Condition, for a Feature
_MARK = re.compile(r"[MR](?: C\(\d+\))?(?: F\([a-z]+\))?|")


@dataclass(frozen=True, slots=True)
class Provisions:
    """The provisions of one regime, as far as anybody has read it."""

    regime: str
    complete: bool | tuple[str, ...]  # all of it, or what stands under these
    scope: str
    marks: Mapping[str, str]  # provision -> its own mark, M or R, where the standard has one
    uncovered: Mapping[str, str]  # provision -> why no duty answers it
    table: Table

    def knows_all(self, provision: str) -> bool:
        """Is the list whole where this provision stands?"""
        if isinstance(self.complete, bool):
            return self.complete
        return any(is_under(provision, prefix) for prefix in self.complete)

    def check(self, row: Table, key: str, provision: str, status: Status) -> None:
        """Refuse a reference to what does not exist, or with another weight than it has."""
        mark = self.marks.get(provision)
        if mark is None:
            if self.knows_all(provision):
                raise row.refuse("duty.reference", f"{self.regime} has no {provision}", key)
            return
        if mark and status is not Status.INFORMATIVE and status is not _status(mark):
            want = _status(mark).value
            raise row.refuse("duty.reference", f"{provision} is {want} in {self.regime}", key)


def _status(mark: str) -> Status:
    if mark.startswith("R"):
        return Status.RECOMMENDED
    return Status.MANDATORY if mark == "M" else Status.CONDITIONAL


def read_provisions(path: Path, headers: Mapping[str, Table]) -> Provisions:
    """Read one file and hold it against its regime's header."""
    table = lines.read(path)
    for key in table:
        if key not in _FIELDS:
            raise _refuse(table, f"there is no field named {key}", key)
    regime = table.get("regime")
    if regime != path.stem or regime not in headers:
        raise _refuse(table, f"there is no regime {path.stem}, or the file is another's", "regime")
    if str(table.get("version")) != str(headers[regime]["version"]):
        raise _refuse(table, f"version wants {headers[regime]['version']}", "version")
    marks = table.get("provisions")
    if not isinstance(marks, Table) or not marks:
        raise _refuse(table, "provisions wants a mapping of id to mark", "provisions")
    for ident, mark in marks.items():
        if not _MARK.fullmatch(mark or ""):
            raise _refuse(marks, f"{ident}: want M or R, C(n) and F(x), or nothing", ident)
    return Provisions(
        regime=regime,
        complete=_complete(table),
        scope=str(table.get("scope", "")),
        marks={ident: mark or "" for ident, mark in marks.items()},
        uncovered=_uncovered(table, marks),
        table=table,
    )


def _complete(table: Table) -> bool | tuple[str, ...]:
    said = table.get("complete")
    if isinstance(said, list) and said and all(isinstance(each, str) for each in said):
        return tuple(said)
    if not isinstance(said, bool):
        raise _refuse(table, "complete wants true, false or a list of texts", "complete")
    return said


def _uncovered(table: Table, marks: Table) -> dict[str, str]:
    rows = table.get("uncovered", [])
    if not isinstance(rows, list) or not all(isinstance(row, Table) for row in rows):
        raise _refuse(table, "uncovered wants rows of ids and why", "uncovered")
    found: dict[str, str] = {}
    for row in rows:
        if row.keys() != {"ids", "why"} or not isinstance(row["ids"], list) or not row["why"]:
            raise _refuse(row, "a row of uncovered wants ids and why")
        for ident in row["ids"]:
            if ident not in marks:
                raise _refuse(row, f"{ident} is not among the provisions", "ids")
            found[ident] = str(row["why"]).strip()
    return found


def _refuse(table: Table, what: str, key: str = "") -> Trouble:
    return table.refuse("regime.provisions", what, key)
