"""Reads CEL's checked expression (cel.expr.CheckedExpr, protobuf) into a small tree of our own.

The reader knows only what a duty needs; anything else in a rule is refused when it is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Name:
    """A claim, or the variable of a quantifier."""

    name: str


@dataclass(frozen=True, slots=True)
class Const:
    value: bool | int | str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function by CEL's own name (`_&&_`, `@in`, `size`), receiver first."""

    function: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list written out in the rule."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Quantified:
    """`list.all(var, test)` or `list.exists(var, test)`."""

    every: bool
    var: str
    over: Node
    test: Node


Node = Name | Const | Call | Items | Quantified


# what a rule may call, by CEL's own names; the compiler has a form for each
STRICT = frozenset(
    {"!_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_+_", "_-_", "-_", "@in"}
    | {"size", "startsWith"}
)
ABSORBING = frozenset({"_&&_", "_||_", "_?_:_"})


class Unreadable(Exception):
    """The expression uses something that our rules do not speak."""


def read_checked(serialized: bytes) -> Node:
    """The tree inside an Any that holds a CheckedExpr."""
    checked = _one(serialized, 2)
    return _expr(_one(checked, 4))


def names(node: Node) -> tuple[str, ...]:
    """Every free name in order of first use."""
    found: dict[str, None] = {}
    _collect(node, frozenset(), found)
    return tuple(found)


def depth(node: Node) -> tuple[int, int]:
    """How deep its parts stand in one another, and how deep its quantifiers do."""
    match node:
        case Call(_, parts) | Items(parts):
            below = [depth(part) for part in parts] or [(0, 0)]
            return 1 + max(deep for deep, _ in below), max(loops for _, loops in below)
        case Quantified(_, _, over, test):
            (one, outside), (two, inside) = depth(over), depth(test)
            return 1 + max(one, two), max(outside, 1 + inside)
        case Name() | Const():
            return 1, 0


def _collect(node: Node, bound: frozenset[str], found: dict[str, None]) -> None:
    match node:
        case Name(name):
            if name not in bound:
                found[name] = None
        case Call(_, parts) | Items(parts):
            for part in parts:
                _collect(part, bound, found)
        case Quantified(_, var, over, test):
            _collect(over, bound, found)
            _collect(test, bound | {var}, found)


# --- cel.expr.Expr: id 2, const 3, ident 4, call 6, list 7, comprehension 9 --------------------


def _expr(raw: bytes) -> Node:
    for number, value in _fields(raw):
        match number, value:
            case 3, bytes():
                return Const(_const(value))
            case 4, bytes():
                return Name(_text(value, 1))
            case 6, bytes():
                return _call(value)
            case 7, bytes():
                return Items(tuple(_expr(item) for item in _all(value, 1)))
            case 9, bytes():
                return _quantified(value)
            case 2, _:
                continue
            case _:
                raise Unreadable("field selection, maps and messages are not for rules")
    raise Unreadable("an empty expression")


def _const(raw: bytes) -> bool | int | str:
    for number, value in _fields(raw):
        if number == 2:
            return bool(value)
        if number == 3 and isinstance(value, int):
            return value - (1 << 64) if value >> 63 else value
        if number == 6 and isinstance(value, bytes):
            return value.decode("utf-8")
    raise Unreadable("a constant other than true, false, an integer or a string")


def _call(raw: bytes) -> Call:
    function = _text(raw, 2)
    if function not in STRICT and function not in ABSORBING:
        raise Unreadable(f"{function}()")
    receiver = [_expr(part) for part in _all(raw, 1)]
    return Call(function, (*receiver, *(_expr(part) for part in _all(raw, 3))))


def _quantified(raw: bytes) -> Quantified:
    """Recognise the two macros that we allow by the fold they expand to."""
    var, accumulator = _text(raw, 1), Name(_text(raw, 3))
    start, step = _expr(_one(raw, 4)), _expr(_one(raw, 6))
    # the loop's condition (field 5) only says when to stop early: not part of the meaning
    for every, operator in ((True, "_&&_"), (False, "_||_")):
        match step:
            case Call(function, (first, test)) if (
                function == operator and first == accumulator and start == Const(every)
            ):
                return Quantified(every, var, _expr(_one(raw, 2)), test)
    raise Unreadable("a loop other than all() and exists()")


# --- protobuf wire format: varint 0, fixed64 1, length-delimited 2, fixed32 5 -----------------


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        match tag & 7:
            case 0:
                value, at = _varint(raw, at)
                yield tag >> 3, value
            case 2:
                size, at = _varint(raw, at)
                yield tag >> 3, raw[at : at + size]
                at += size
            case 1 | 5 as kind:
                width = 8 if kind == 1 else 4
                yield tag >> 3, raw[at : at + width]
                at += width
            case _:
                raise Unreadable("protobuf group")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _all(raw: bytes, wanted: int) -> list[bytes]:
    return [
        value for number, value in _fields(raw) if number == wanted and isinstance(value, bytes)
    ]


def _one(raw: bytes, wanted: int) -> bytes:
    found = _all(raw, wanted)
    if not found:
        raise Unreadable(f"protobuf field {wanted} is absent")
    return found[0]


def _text(raw: bytes, wanted: int) -> str:
    return _one(raw, wanted).decode("utf-8")
