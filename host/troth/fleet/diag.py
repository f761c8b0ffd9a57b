"""Accepted evidence in CBOR diagnostic notation (RFC 8949 section 8), for eyes only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import Malformed
from ..formats import cbor, eat

_DEEPEST = 8
_TAGS = frozenset((eat.SIGN1, eat.MAC0, eat.CWT, eat.BUNDLE))
_NESTED = 12  # a byte string this long that is itself one CBOR item is shown opened


def diag(raw: bytes) -> str:
    """Pretty text; byte strings that hold CBOR are opened as `<< ... >>`."""
    return "\n".join(_lines(_open(raw), 0))


def hexdump(raw: bytes, width: int = 16) -> str:
    rows = (raw[at : at + width] for at in range(0, len(raw), width))
    return "\n".join(f"{at * width:04x}  {row.hex(' ')}" for at, row in enumerate(rows))


def _open(raw: bytes) -> Any:
    # strictly, for a device may choose a digest that opens as a list which holds itself
    return cbor.read(raw, tags=_TAGS)


def _lines(item: Any, depth: int) -> list[str]:
    pad = "  " * depth
    if isinstance(item, cbor.Tagged):
        return _wrapped(f"{pad}{item.number}(", _lines(item.item, depth + 1), f"{pad})")
    if isinstance(item, (list, tuple)) and item:
        inner = [_comma(_lines(each, depth + 1)) for each in item]
        return _wrapped(f"{pad}[", [line for block in inner for line in block], f"{pad}]")
    if isinstance(item, Mapping) and item:
        inner = [_comma(_pair(key, value, depth + 1)) for key, value in item.items()]
        return _wrapped(f"{pad}{{", [line for block in inner for line in block], f"{pad}}}")
    if isinstance(item, bytes):
        return _bytes(item, depth)
    return [pad + _atom(item)]


def _bytes(item: bytes, depth: int) -> list[str]:
    pad = "  " * depth
    if len(item) >= _NESTED and item[0] >> 5 in (4, 5, 6) and depth < _DEEPEST:
        try:
            return _wrapped(f"{pad}<<", _lines(_open(item), depth + 1), f"{pad}>>")
        except Malformed:
            pass  # a digest may begin like a map
    return [f"{pad}h'{item.hex()}'"]


def _pair(key: Any, value: Any, depth: int) -> list[str]:
    lines = _lines(value, depth)
    return [f"{'  ' * depth}{_atom(key)}: {lines[0].lstrip()}", *lines[1:]]


def _wrapped(head: str, lines: list[str], tail: str) -> list[str]:
    if len(lines) == 1 and len(lines[0]) < 88:
        return [head + lines[0].strip().rstrip(",") + tail.strip()]
    return [head, *lines, tail]


def _comma(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1] + ","]


def _atom(item: Any) -> str:
    if item is None:
        return "null"
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, bytes):
        return f"h'{item.hex()}'"
    if isinstance(item, str):
        return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(item, (list, tuple, Mapping)):
        return "{}" if isinstance(item, Mapping) else "[]"
    return str(item)
