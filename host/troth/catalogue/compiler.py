"""Turns a checked rule into one plain Python function with CEL's meaning.

Every expression is three-valued: its value, or the frozenset of the missing names that leave it
open. A missing name makes an expression open unless `&&`, `||`, `?:` or a quantifier absorb it,
exactly as in CEL; a test holds both equal over random claims.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from ..core.duties import Answer, Outcome, Rule
from ..tuples import new
from .checked import Call, Const, Items, Name, Node, Quantified, names
from .claims import Claim
from .engine import Expression

_TEXT = {
    "!_": "(not {})",
    "_==_": "({} == {})",
    "_!=_": "({} != {})",
    "_<_": "({} < {})",
    "_<=_": "({} <= {})",
    "_>_": "({} > {})",
    "_>=_": "({} >= {})",
    "_+_": "({} + {})",
    "_-_": "({} - {})",
    "-_": "(-{})",
    "@in": "({} in {})",
    "size": "len({})",
    "startsWith": "{}.startswith({})",
}
_APPLY: dict[str, Callable[..., Any]] = {
    "!_": operator.not_,
    "_==_": operator.eq,
    "_!=_": operator.ne,
    "_<_": operator.lt,
    "_<=_": operator.le,
    "_>_": operator.gt,
    "_>=_": operator.ge,
    "_+_": operator.add,
    "_-_": operator.sub,
    "-_": operator.neg,
    "@in": lambda item, items: item in items,
    "size": len,
    "startsWith": str.startswith,
    "list": lambda *items: items,
}


class _Writer:
    """Writes the Python text of one rule; every name is a local, so that it is read once."""

    def __init__(self, claims: Mapping[str, Claim]) -> None:
        self._claims = claims
        self._temps = 0

    def expression(self, node: Node) -> str:
        """Python text that gives the value, or the frozenset of what is missing."""
        if _is_plain(node):
            return self._plain(node)
        match node:
            case Call("_&&_", (left, right)):
                return self._either("False", left, right)
            case Call("_||_", (left, right)):
                return self._either("True", left, right)
            case Call("_?_:_", (test, yes, no)):
                asked = self._temp()
                arms = f"{self.expression(yes)} if {asked} else {self.expression(no)}"
                test_text = self.expression(test)
                return f"({asked} if ({asked} := {test_text}).__class__ is frozenset else {arms})"
            case Quantified(every, var, over, test):
                lambda_text = f"lambda {_local(var)}: {self.expression(test)}"
                return f"fold({every}, {self.expression(over)}, {lambda_text})"
            case Call(function, args):
                parts = ", ".join(self.expression(arg) for arg in args)
                return f"apply({function!r}, {parts})"
            case Items(parts):
                return f"apply('list', {', '.join(map(self.expression, parts))})"
            case _:
                raise AssertionError(f"{node} is plain")

    def _plain(self, node: Node) -> str:
        asked = [name for name in names(node) if name in self._claims and name != "now"]
        text = _plain_text(node)
        if not asked:
            return text
        said = " and ".join(f"{_local(name)} is not None" for name in asked)
        pairs = ", ".join(f"({name!r}, {_local(name)})" for name in asked)
        return f"({text} if {said} else lack({pairs}))"

    def _either(self, absorbs: str, left: Node, right: Node) -> str:
        """`&&` is settled by one false, `||` by one true, whatever the other side lacks."""
        one, two = self._temp(), self._temp()
        left_text, right_text = self.expression(left), self.expression(right)
        settled = f"({one} := {left_text}) is {absorbs} or ({two} := {right_text}) is {absorbs}"
        return f"({absorbs} if {settled} else both({one}, {two}))"

    def _temp(self) -> str:
        self._temps += 1
        return f"t{self._temps}"


def _is_plain(node: Node) -> bool:
    """Does it need all its names? Then one test for all of them is enough."""
    match node:
        case Name() | Const():
            return True
        case Items(parts):
            return all(map(_is_plain, parts))
        case Call(function, parts):
            return function in _TEXT and all(map(_is_plain, parts))
        case _:
            return False


def _plain_text(node: Node) -> str:
    match node:
        case Name(name):
            return _local(name)
        case Const(value):
            return repr(value)
        case Items(parts):
            return "(" + "".join(f"{_plain_text(part)}, " for part in parts) + ")"
        case Call(function, parts):
            return _TEXT[function].format(*map(_plain_text, parts))
        case _:
            raise AssertionError(f"{node} is not plain")


def _local(name: str) -> str:
    """`d.jtag` is read into `d_jtag`; a quantifier's variable cannot meet another local."""
    return name.replace(".", "_") if "." in name or name == "now" else f"it_{name}"


# --- what the written functions call where something is missing --------------------------------


def _lack(*pairs: tuple[str, object]) -> frozenset[str]:
    return frozenset(name for name, value in pairs if value is None)


def _both(one: Any, two: Any) -> Any:
    """Neither side settles it: what one side lacks stays open."""
    if one.__class__ is not frozenset:
        return two
    return one | two if two.__class__ is frozenset else one


def _fold(every: bool, items: Any, test: Callable[[Any], Any]) -> Any:
    if items.__class__ is frozenset:
        return items
    missing: frozenset[str] = frozenset()
    for item in items:
        answer = test(item)
        if answer is not every:
            if answer.__class__ is not frozenset:
                return answer
            missing |= answer
    return missing or every


def _apply(function: str, *args: Any) -> Any:
    missing = [arg for arg in args if arg.__class__ is frozenset]
    return frozenset().union(*missing) if missing else _APPLY[function](*args)


@cache
def _open(missing: frozenset[str]) -> Answer:
    return Answer(Outcome.NOT_SHOWN, tuple(sorted(missing)))


def _lacks(missing: frozenset[str], at: int | None) -> Answer:
    """Open as well, until the clock alone may settle it."""
    given = _open(missing)
    return given if at is None else Answer(given.outcome, given.missing, at)


def _first(now: int, *instants: Any) -> int | None:
    """The next instant; when none is to come, the last that is known."""
    known = [at for at in instants if at.__class__ is not frozenset]
    return min((at for at in known if at > now), default=max(known, default=None))


_WORLD = {"lack": _lack, "both": _both, "fold": _fold, "apply": _apply, "open_": _open}
_WORLD |= {"new": new, "Answer": Answer, "first": _first, "lacks": _lacks, "frozenset": frozenset}
for _outcome in (Outcome.MET, Outcome.NOT_MET, Outcome.NOT_APPLICABLE):
    _WORLD |= {_outcome.name: Answer(_outcome), f"OUTCOME_{_outcome.name}": _outcome}


def compile_rule(
    when: Expression | None,
    ok: Expression,
    turns: Sequence[Expression],
    claims: Mapping[str, Claim],
    *,
    fresh: Expression | None = None,
) -> Rule:
    """One duty as one function of the facts.

    What is too old to be relied on settles nothing in anybody's favour; a shortfall that it shows
    stays one.
    """
    writer = _Writer(claims)
    parts = [part for part in (when, fresh, ok, *turns) if part is not None]
    body = _reading(parts, claims)
    if fresh is not None:
        old = frozenset(name for name in names(fresh.tree) if name.startswith("v."))
        body += [
            f"known = {writer.expression(fresh.tree)}",
            f"if known is False: known = {old!r}",
        ]
    instants = [writer.expression(each.tree) for each in turns]
    if len(instants) == 1:
        body += [f"at = {instants[0]}", "if at.__class__ is frozenset: at = None"]
    elif instants:
        body += [f"at = first(now, {', '.join(instants)})"]
    opens = "lacks({}, at)" if turns else "open_({})"
    good = [f"if known is not True: return {opens.format('known')}"] if fresh is not None else []
    if when is not None:
        body += [
            f"asked = {writer.expression(when.tree)}",
            "if asked is False:",
            *(f"    {line}" for line in good),
            f"    return {_said('NOT_APPLICABLE', turns and (fresh or 'now' in names(when.tree)))}",
            f"if asked is not True: return {opens.format('asked')}",
        ]
    body += [
        f"met = {writer.expression(ok.tree)}",
        f"if met.__class__ is frozenset: return {opens.format('met')}",
        f"if not met: return {_said('NOT_MET', turns)}",
        *good,
        f"return {_said('MET', turns)}",
    ]
    rule: Rule = _function("rule(facts)", body)
    return rule


def _said(outcome: str, turns: object) -> str:
    """One and the same answer, unless it names its instant."""
    return f"new(Answer, (OUTCOME_{outcome}, (), at))" if turns else outcome


def compile_expression(expression: Expression, claims: Mapping[str, Claim]) -> Any:
    """One expression alone as a function of the facts; for the test against CEL."""
    reading = _reading([expression], claims)
    value = _Writer(claims).expression(expression.tree)
    return _function("value(facts)", [*reading, f"return {value}"])


def _reading(parts: Iterable[Expression], claims: Mapping[str, Claim]) -> list[str]:
    """Read every name once into a local."""
    asked = dict.fromkeys(name for part in parts for name in names(part.tree))
    homes = dict.fromkeys(claims[name].home for name in asked if claims[name].home)
    return [
        *(f"{home} = facts.{home}" for home in homes),
        *(f"{_local(name)} = {claims[name].path}" for name in asked if name != "now"),
        *(
            f"if {_local(name)} is None: {_local(name)} = {claims[name].unsaid}"
            for name in asked
            if claims[name].unsaid is not None
        ),
        *(["now = facts.now"] if "now" in asked else []),
    ]


def _function(head: str, body: list[str]) -> Any:
    source = f"def {head}:\n" + "".join(f"    {line}\n" for line in body)
    world: dict[str, Any] = dict(_WORLD)
    # built from a type-checked tree: names of claims.yaml, operators and the repr of constants
    exec(compile(source, "<rule>", "exec"), world)  # noqa: S102
    return world[head.partition("(")[0]]
