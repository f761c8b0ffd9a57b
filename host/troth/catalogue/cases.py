"""The tests that stand inside a duty file: what is said, and what must come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.duties import Outcome
from .desk import Desk, rows, word
from .lines import Table


@dataclass(frozen=True, slots=True)
class Case:
    """One in-file test: what is said, and the outcome that must come of it."""

    given: Mapping[str, Any]
    expect: Outcome
    place: str


def read_cases(table: Table, desk: Desk) -> tuple[Case, ...]:
    """All tests of a duty, at least one for each outcome that it can have."""
    cases = tuple(read_case(row, desk) for row in rows(table, "tests"))
    check_outcomes(table)
    return cases


def _wanted(conditional: bool) -> set[Outcome]:
    wanted = {Outcome.MET, Outcome.NOT_MET, Outcome.NOT_SHOWN}
    return wanted | {Outcome.NOT_APPLICABLE} if conditional else wanted


_PYTHON = {"string": str, "int": int, "bool": bool, "list<string>": list}


def _is_of(value: object, kind: str) -> bool:
    if type(value) is not _PYTHON[kind]:
        return False
    return not isinstance(value, list) or all(type(item) is str for item in value)


def read_case(row: Table, desk: Desk) -> Case:
    """One test, with values of the types that its names have."""
    given = row.get("given")
    if not isinstance(given, Table):
        raise row.refuse("duty.tests", "a test wants given and expect")
    for name, value in given.items():
        if name not in desk.claims:
            raise given.refuse("duty.unknown-name", f"there is no claim named {name}", name)
        if not _is_of(value, desk.claims[name].type):
            raise given.refuse("duty.type", f"{name} wants {desk.claims[name].type}", name)
    said = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return Case(said, word(row, "expect", Outcome), row.place())


def check_outcomes(table: Table) -> None:
    """Does some test expect each outcome?"""
    said = {str(row.get("expect")) for row in rows(table, "tests")}
    absent = sorted({outcome.value for outcome in _wanted("when" in table)} - said)
    if absent:
        raise table.refuse("duty.tests", f"no test expects {' '.join(absent)}", "tests")
