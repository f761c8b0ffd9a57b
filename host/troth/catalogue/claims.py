"""The names that a rule may ask: type, scope, where the value lives and how it is said aloud."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from ..core.duties import Facts
from ..core.feeds import Feeds
from ..core.reference import Reference
from . import lines

TYPES = ("string", "int", "bool", "list<string>")
SCOPES = ("set", "fleet", "device", "clock")  # from narrow to wide
SHOWS = ("", "digest", "instant", "span")

_NAME = re.compile(r"now|[drmv]\.[a-z][a-z0-9_]*")  # it becomes part of a Python function
_REFERENCE = frozenset(field.name for field in fields(Reference))
_FED = frozenset(field.name for field in fields(Feeds))


@dataclass(frozen=True, slots=True)
class Claim:
    """One name of the rules."""

    name: str
    type: str
    scope: str
    means: str  # a noun phrase for sentences
    shows: Literal["", "digest", "instant", "span"] = ""
    whole: bool = False  # a list that is complete by nature: nothing can be left out of it
    unsaid: bool | None = None  # what silence about it means; None: it leaves the rule open

    @property
    def home(self) -> str:
        """The member of `Facts` that holds it: d r u m v f, or nothing for `now`."""
        prefix, _, field = self.name.partition(".")
        if not field:
            return ""
        if prefix == "v" and field in _FED:
            return "f"
        return "u" if prefix == "r" and field not in _REFERENCE else prefix

    @property
    def field(self) -> str:
        return self.name.partition(".")[2]

    @property
    def path(self) -> str:
        """How Python reaches it from the members of `Facts`."""
        return f"{self.home}.{self.field}" if self.home else self.name

    def reach(self, facts: Facts) -> object:
        """Its value, or None where nobody said it."""
        value: object = operator.attrgetter(self.path)(facts)
        return value


def read_claims(path: Path) -> dict[str, Claim]:
    """Read the table of names."""
    table = lines.read(path)
    return {name: _claim(table, name) for name in table}


def _claim(table: lines.Table, name: str) -> Claim:
    row = table[name]
    if not _NAME.fullmatch(name):
        raise table.refuse("duty.claims", "a name is d. r. m. or v. and a word, or now", name)
    if not isinstance(row, lines.Table):
        raise table.refuse("duty.claims", f"{name} wants type, scope and means", name)
    for key, allowed in (("type", TYPES), ("scope", SCOPES), ("shows", SHOWS)):
        if row.get(key, "") not in allowed:
            want = " ".join(word for word in allowed if word)
            raise row.refuse("duty.claims", f"{name} has an unknown {key}, want one of {want}", key)
    if "unsaid" in row and (row["type"] != "bool" or type(row["unsaid"]) is not bool):
        raise row.refuse("duty.claims", f"{name}: unsaid is true or false, of a bool", "unsaid")
    if not row.get("means"):
        raise row.refuse("duty.claims", f"{name} does not say what it means")
    return Claim(
        name,
        row["type"],
        row["scope"],
        str(row["means"]),
        row.get("shows", ""),
        row.get("whole") is True,
        row.get("unsaid"),
    )


def widest(claims: list[Claim]) -> str:
    """The scope of a rule is the widest of its names."""
    return max((claim.scope for claim in claims), key=SCOPES.index, default="set")
