"""One regime file: its header and dates; its lines come from the duties' own references."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..core.duties import Clause, Duty, Party, Status
from ..core.verdict import Line, Regime
from . import lines
from .lines import Table

_ALLOWED = {"id", "title", "version", "law", "binding", "markets", "product_classes", "in_force"}
_ALLOWED |= {"placed_from", "placed_until", "own_use", "condition", "dates", "of_baseline"}
_ALLOWED |= {"addresses", "includes"}
_DAYS = {"in_force", "placed_from", "placed_until", "since", "until"}
_REQUIRED = ("id", "title", "version", "law", "binding", "addresses")


def read_header(path: Path) -> Table:
    """Read and check one header."""
    table = lines.read(path)
    for key in table:
        if key not in _ALLOWED:
            raise table.refuse("regime.field", f"there is no field named {key}", key)
    for key in _REQUIRED:
        if table.get(key) in (None, ""):
            raise table.refuse("regime.field", f"a regime without {key}")
    if table["id"] != path.stem:
        raise table.refuse("regime.field", f"the id is {table['id']}, the file is another", "id")
    for key in ("markets", "product_classes", "dates", "addresses", "includes"):
        if not isinstance(table.get(key, []), list):
            raise table.refuse("regime.field", f"{key} wants a list", key)
    if not set(table["addresses"]) <= set(Party):
        raise table.refuse(
            "regime.field", f"addresses wants some of {' '.join(Party)}", "addresses"
        )
    _check_days(table)
    if table["binding"] is True and not ({"in_force", "of_baseline"} & table.keys()):
        raise table.refuse("regime.field", "what binds wants in_force: from when it counts")
    for row in table.get("dates", []):
        if not isinstance(row, Table) or not isinstance(row.get("provisions"), list):
            raise table.refuse("regime.field", "dates wants rows with provisions", "dates")
        _check_days(row)
    return table


def _check_days(table: Table) -> None:
    for key in _DAYS & table.keys():
        if type(table[key]) is not int:
            raise table.refuse("regime.field", f"{key} wants a day like 2026-09-11", key)


def build_regime(header: Table, duties: Iterable[Duty]) -> Regime:
    """Put the header over the lines that the duties' references make."""
    return Regime(
        id=header["id"],
        title=header["title"],
        version=str(header["version"]),
        markets=tuple(header.get("markets", ())),
        product_classes=tuple(header.get("product_classes", ())),
        placed_from=header.get("placed_from"),
        placed_until=header.get("placed_until"),
        in_force=header.get("in_force"),
        lines=tuple(line for duty in duties for line in _lines(header, duty)),
        own_use=header.get("own_use") is True,
        binding=header["binding"] is True,
        law=header["law"],
        condition=header.get("condition", ""),
    )


def _lines(header: Table, duty: Duty) -> list[Line]:
    if header.get("of_baseline") is True:
        return [Line(duty.id, _baseline(header))] if duty.baseline else []
    own, version = header["id"], str(header["version"])
    return [
        Line(
            duty.id,
            replace(clause, regime=own, version=version),
            **_dates(header, clause),
        )
        for clause in duty.clauses
        if clause.regime == own or clause.regime in header.get("includes", ())
    ]


def _baseline(header: Table) -> Clause:
    """The baseline has no provisions: the duty is its own line."""
    return Clause(header["id"], "", True, Status.MANDATORY, version=str(header["version"]))


def _dates(header: Table, clause: Clause) -> dict[str, int | None]:
    """The first row of `dates` whose prefix fits, within what the reference says itself."""
    rows: list[Table] = header.get("dates", [])
    row = next((each for each in rows if _fits(each, clause.provision)), Table(header.path, 1))
    since = [day for day in (row.get("since"), clause.since) if day is not None]
    until = [day for day in (row.get("until"), clause.until) if day is not None]
    return {
        "since": max(since, default=None),
        "until": min(until, default=None),
        "placed_from": row.get("placed_from"),
    }


def _fits(row: Table, provision: str) -> bool:
    return any(is_under(provision, str(prefix)) for prefix in row["provisions"])


def is_under(provision: str, prefix: str) -> bool:
    """Does a provision stand under another: 13(8) under 13, and 5.10 not under 5.1?"""
    rest = provision.removeprefix(prefix)
    return provision.startswith(prefix) and not rest[:1].isalnum()
