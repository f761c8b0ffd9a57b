"""Turns a checked rule into plain Python functions with CEL's meaning.

Two forms of one tree. The quick form is one Python expression, run when every name was said. The
careful form is three-valued: a missing name makes the expression unknown unless `&&`, `||`, `?:`
or a quantifier absorb it; its unknown is the set of the names that left it open.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ..core.duties import Answer, Facts, Outcome, Rule
from ..trouble import Trouble
from .checked import Call, Const, Items, Name, Node, Quantified, names
from .claims import Claim
from .engine import Expression

Bound = Mapping[str, str]
Careful = Callable[[Facts, Bound], Any]  # a value, or a frozenset of missing names

_FREE: Bound = {}

_QUICK = {
    "_&&_": "({} and {})",
    "_||_": "({} or {})",
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
    "_?_:_": "({1} if {0} else {2})",
}
_STRICT: dict[str, Callable[..., Any]] = {
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
}


def quick(node: Node, claims: Mapping[str, Claim]) -> str:
    """The tree as one Python expression over d, r, u, m, v and now."""
    match node:
        case Name(name):
            return claims[name].path if name in claims else f"it_{name}"
        case Const(value):
            return repr(value)
        case Items(items):
            return "(" + "".join(quick(item, claims) + ", " for item in items) + ")"
        case Quantified(every, var, over, test):
            word = "all" if every else "any"
            return f"{word}({quick(test, claims)} for it_{var} in {quick(over, claims)})"
        case Call(function, args):
            return _template(function).format(*(quick(arg, claims) for arg in args))


def _template(function: str) -> str:
    if function not in _QUICK:
        raise Trouble("duty.expression", f"a rule cannot use {function}")
    return _QUICK[function]


def careful(node: Node, claims: Mapping[str, Claim]) -> Careful:
    """The tree as a three-valued function."""
    match node:
        case Name(name):
            return _claim(claims[name]) if name in claims else lambda _, bound: bound[name]
        case Const(value):
            return lambda _f, _b: value
        case Items(items):
            return _strict(lambda *said: said, [careful(item, claims) for item in items])
        case Quantified(every, var, over, test):
            return _fold(every, var, careful(over, claims), careful(test, claims))
        case Call("_&&_", (left, right)):
            return _either(False, careful(left, claims), careful(right, claims))
        case Call("_||_", (left, right)):
            return _either(True, careful(left, claims), careful(right, claims))
        case Call("_?_:_", (test, yes, no)):
            return _choice(*(careful(part, claims) for part in (test, yes, no)))
        case Call(function, args):
            return _strict(_STRICT[function], [careful(arg, claims) for arg in args])


def _claim(claim: Claim) -> Careful:
    if not claim.home:
        return lambda facts, _: facts.now
    reach = operator.attrgetter(claim.path)
    missing = frozenset([claim.name])

    def said(facts: Facts, _: Bound) -> Any:
        value = reach(facts)
        return missing if value is None else value

    return said


def _strict(function: Callable[..., Any], args: list[Careful]) -> Careful:
    def apply(facts: Facts, bound: Bound) -> Any:
        said = [arg(facts, bound) for arg in args]
        missing = [value for value in said if isinstance(value, frozenset)]
        return frozenset().union(*missing) if missing else function(*said)

    return apply


def _either(absorbs: bool, left: Careful, right: Careful) -> Careful:
    """`&&` is settled by one false, `||` by one true, whatever the other side lacks."""

    def apply(facts: Facts, bound: Bound) -> Any:
        one = left(facts, bound)
        if one is absorbs:
            return absorbs
        two = right(facts, bound)
        if two is absorbs or not isinstance(one, frozenset):
            return two
        return one | two if isinstance(two, frozenset) else one

    return apply


def _choice(test: Careful, yes: Careful, no: Careful) -> Careful:
    def apply(facts: Facts, bound: Bound) -> Any:
        answer = test(facts, bound)
        if isinstance(answer, frozenset):
            return answer
        return yes(facts, bound) if answer else no(facts, bound)

    return apply


def _fold(every: bool, var: str, over: Careful, test: Careful) -> Careful:
    settles = not every

    def apply(facts: Facts, bound: Bound) -> Any:
        items = over(facts, bound)
        if isinstance(items, frozenset):
            return items
        missing: frozenset[str] = frozenset()
        for item in items:
            answer = test(facts, {**bound, var: item})
            if answer is settles:
                return settles
            if isinstance(answer, frozenset):
                missing |= answer
        return missing or every

    return apply


def compile_rule(
    when: Expression | None,
    ok: Expression,
    turns: Expression | None,
    claims: Mapping[str, Claim],
) -> Rule:
    """One duty as one function of the facts: the quick form where all was said."""
    parts = [part.tree for part in (when, ok, turns) if part is not None]
    asked = [claims[name] for name in dict.fromkeys(n for part in parts for n in names(part))]
    source = _source(when, ok, turns, asked, claims)
    scope: dict[str, Any] = {
        "slow": _slow(when, ok, turns, claims),
        "Answer": Answer,
        "Outcome": Outcome,
        **{name: Answer(outcome) for name, outcome in _ANSWERS.items()},
    }
    # the text is built from a type-checked tree: names of claims.yaml, operators, repr of constants
    exec(compile(source, f"<rule {ok.text}>", "exec"), scope)  # noqa: S102
    rule: Rule = scope["rule"]
    return rule


_ANSWERS = {
    "MET": Outcome.MET,
    "NOT_MET": Outcome.NOT_MET,
    "NOT_APPLICABLE": Outcome.NOT_APPLICABLE,
}


def _source(
    when: Expression | None,
    ok: Expression,
    turns: Expression | None,
    asked: list[Claim],
    claims: Mapping[str, Claim],
) -> str:
    homes = dict.fromkeys(claim.home or claim.name for claim in asked)
    unsaid = " or ".join(f"{claim.path} is None" for claim in asked if claim.home)
    text = ["def rule(f):"]
    text += [f"    {home} = f.{home}" for home in homes]
    if unsaid:
        text += [f"    if {unsaid}:", "        return slow(f)"]
    if when is not None:
        text += [f"    if not {quick(when.tree, claims)}:", "        return NOT_APPLICABLE"]
    if turns is None:
        text += [f"    return MET if {quick(ok.tree, claims)} else NOT_MET"]
    else:
        text += [
            f"    met = {quick(ok.tree, claims)}",
            f"    turns = {quick(turns.tree, claims)}",
            "    return Answer(Outcome.MET if met else Outcome.NOT_MET, (), turns)",
        ]
    return "\n".join(text) + "\n"


def _slow(
    when: Expression | None,
    ok: Expression,
    turns: Expression | None,
    claims: Mapping[str, Claim],
) -> Rule:
    applies = careful(when.tree, claims) if when else careful(Const(True), claims)
    holds = careful(ok.tree, claims)
    flips = careful(turns.tree, claims) if turns else careful(Const(0), claims)

    def answer(facts: Facts) -> Answer:
        asked = applies(facts, _FREE)
        if isinstance(asked, frozenset):
            return Answer(Outcome.NOT_SHOWN, tuple(sorted(asked)))
        if not asked:
            return Answer(Outcome.NOT_APPLICABLE)
        met = holds(facts, _FREE)
        if isinstance(met, frozenset):
            return Answer(Outcome.NOT_SHOWN, tuple(sorted(met)))
        at = flips(facts, _FREE) if turns else None
        outcome = Outcome.MET if met else Outcome.NOT_MET
        return Answer(outcome, (), None if isinstance(at, frozenset) else at)

    return answer
