"""What a duty file is checked against, and how its parts are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from .claims import Claim
from .engine import Engine
from .lines import Table
from .provisionfile import Provisions

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a file is checked against."""

    engine: Engine
    claims: Mapping[str, Claim]
    regimes: Mapping[str, Table]  # the headers, by id
    provisions: Mapping[str, Provisions]  # what each regime has, by its id
    tests: bool = True  # False: of files whose tests were read before they were shipped


def word(table: Table, key: str, kind: type[Word]) -> Word:
    """A word of a closed set. Trouble names the set."""
    try:
        return kind(str(table.get(key, "")))
    except ValueError as err:
        code = f"duty.{key}" if key in ("party", "subject") else "duty.field"
        want = " ".join(kind)
        raise table.refuse(code, f"{key} wants one of {want}", key) from err


def rows(table: Table, key: str) -> list[Table]:
    """A list of mappings, or none."""
    found = table.get(key) or []
    if not isinstance(found, list) or not all(isinstance(row, Table) for row in found):
        raise table.refuse("duty.field", f"{key} wants a list of mappings", key)
    return found
