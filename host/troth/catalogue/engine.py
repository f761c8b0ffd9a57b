"""CEL behind a small interface: it type-checks rules when they are loaded, and nothing more.

What runs per attestation is the same checked tree as a Python function (compiler.py); `evaluate`
is here so that a test can hold both equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cel_expr_python import cel

from ..trouble import Trouble
from .checked import Node, Unreadable, depth, read_checked
from .claims import Claim

_TYPES = {
    "string": cel.Type.STRING,
    "int": cel.Type.INT,
    "bool": cel.Type.BOOL,
    "list<string>": cel.Type.List(cel.Type.STRING),
}
_COMPLAINT = re.compile(r"ERROR: <input>:\d+:\d+: (?P<text>.*)")
# a rule is a sentence, and asks no more than each of one list about each of another
_LONGEST, _DEEPEST, _LOOPS = 1000, 24, 2
UNKNOWN = object()  # what `evaluate` answers when a missing name leaves the answer open


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: its text, its tree and CEL's own compiled form."""

    text: str
    tree: Node
    cel: Any

    def evaluate(self, said: Mapping[str, Any]) -> Any:
        """CEL's own answer, or UNKNOWN."""
        value = self.cel.eval(data=dict(said))
        return UNKNOWN if value.type().name() == cel.Type.ERROR.name() else value.value()


class Engine:
    """Checks expressions against one table of claims."""

    def __init__(self, claims: Mapping[str, Claim]) -> None:
        types = {name: _TYPES[claim.type] for name, claim in claims.items()}
        self._env = cel.NewEnv(variables=types)

    def check(self, text: str, want: str) -> Expression:
        """Compile one expression of the wanted type; Trouble says what is wrong with it."""
        if len(text) > _LONGEST:
            raise Trouble("duty.expression", f"the expression is longer than {_LONGEST} characters")
        try:
            compiled = self._env.compile(text)
        except RuntimeError as err:
            raise _trouble(str(err)) from err
        if compiled.return_type().name() != _TYPES[want].name():
            got = compiled.return_type().name().lower()
            raise Trouble("duty.type", f"the expression gives {got}, want {want}")
        try:
            tree = read_checked(compiled.serialize())
            deep, loops = depth(tree)
            if deep > _DEEPEST or loops > _LOOPS:
                raise Unreadable(f"more than {_DEEPEST} levels, or {_LOOPS} of all() and exists()")
            return Expression(text, tree, compiled)
        except Unreadable as err:
            raise Trouble("duty.expression", f"a rule cannot use {err}") from err


def _trouble(message: str) -> Trouble:
    found = _COMPLAINT.search(message)
    text = found["text"].replace(" (in container '')", "") if found else message.split("\n")[0]
    if "undeclared reference" in text:
        return Trouble("duty.unknown-name", text, fix="see the names in claims.yaml")
    if "no matching overload" in text:
        return Trouble("duty.type", text)
    return Trouble("duty.expression", text)
