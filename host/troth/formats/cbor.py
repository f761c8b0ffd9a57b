"""Strict CBOR: what one deterministic item says, or the place where it breaks (RFC 8949 4.2.1).

Integers of at most 64 bits, byte and text strings, arrays, maps with integer or text keys, true,
false, null, and the tags that the caller expects. Shortest heads, definite lengths, bytewise key
order, no duplicates, nothing left over; bounded in size, depth and number of items. Offsets in
errors count from the start of the item that was handed in.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from ..core.errors import Malformed

MAX_BYTES = 16 * 1024
MAX_DEPTH = 8
MAX_ITEMS = 512

_SIMPLE = {20: False, 21: True, 22: None}
_HEAD_BYTES = {24: 1, 25: 2, 26: 4, 27: 8}
_SMALLEST = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}  # below it a shorter head would do


class Tagged(NamedTuple):
    number: int
    item: Any


def read(
    raw: bytes, *, path: str = "", tags: frozenset[int] = frozenset(), deterministic: bool = True
) -> Any:
    """Read exactly one item. Raises Malformed for anything else, for any input.

    `deterministic=False` lets a peer choose longer heads and another key order; every other
    bound stays.
    """
    if len(raw) > MAX_BYTES:
        raise Malformed("size.limit", f"{len(raw)} bytes, at most {MAX_BYTES}", path=path)
    scanner = _Scanner(raw, path, tags, deterministic)
    item = scanner.item(0)
    if scanner.at != len(raw):
        scanner.fail("cbor.trailing", f"{len(raw) - scanner.at} bytes left over", scanner.at)
    return item


class _Scanner:
    __slots__ = ("at", "deterministic", "end", "items", "path", "raw", "tags")

    def __init__(self, raw: bytes, path: str, tags: frozenset[int], deterministic: bool) -> None:
        self.raw = raw
        self.end = len(raw)
        self.path = path
        self.tags = tags
        self.deterministic = deterministic
        self.at = 0
        self.items = 1

    def fail(self, code: str, text: str, at: int) -> NoReturn:
        raise Malformed(code, text, path=self.path, offset=at)

    def item(self, depth: int) -> Any:
        start = self.at
        if start == self.end:
            self.fail("cbor.truncated", "an item is missing", start)
        head = self.raw[start]
        self.at = start + 1
        n = head & 31
        if n > 23 or head > 0xDF:
            n = self.argument(head, n, start)
        if head < 0x20:
            return n
        if head < 0x40:
            return -1 - n
        if head < 0x60:
            return self.take(n)
        if head < 0x80:
            return self.text(n)
        if head < 0xA0:
            self.enter(n, depth)
            return [self.item(depth + 1) for _ in range(n)]
        if head < 0xC0:
            return self.map(n, depth)
        if head < 0xE0:
            return self.tagged(n, depth, start)
        return _SIMPLE[n]

    def argument(self, head: int, info: int, start: int) -> int:
        """What a head says that is not a number below 24."""
        if head > 0xDF:
            return self.simple(info, start)
        if info == 31 and 0x40 <= head < 0xC0:
            self.fail("cbor.indefinite", "indefinite length", start)
        if info > 27:
            self.fail("cbor.malformed", f"reserved head 0x{head:02x}", start)
        n = int.from_bytes(self.take(_HEAD_BYTES[info]), "big")
        if n < _SMALLEST[info] and self.deterministic:
            self.fail("cbor.noncanonical", f"{n} has a shorter head", start)
        return n

    def simple(self, info: int, start: int) -> int:
        """20 to 22 for false, true and null; all else of major type 7 is refused."""
        if info not in _SIMPLE:
            self.fail(*self.odd(info), start)
        return info

    def odd(self, info: int) -> tuple[str, str]:
        if info == 24 and self.take(1)[0] < 32:
            return "cbor.malformed", "simple value in two bytes that has one"
        if info > 27:
            return "cbor.malformed", "break or reserved head without its item"
        if info > 24:
            return "cbor.type", "floats have no place in evidence"
        return "cbor.type", "this simple value has no place in evidence"

    def take(self, n: int) -> bytes:
        start = self.at
        end = start + n
        if end > self.end:
            self.fail("cbor.truncated", f"{end - self.end} bytes missing", start)
        self.at = end
        return self.raw[start:end]

    def enter(self, n: int, depth: int) -> None:
        """Whether n items may follow, each of at least a byte: asked before any is read."""
        if depth == MAX_DEPTH and n:
            self.fail("cbor.depth", f"nested deeper than {MAX_DEPTH}", self.at)
        if n > self.end - self.at:
            self.fail("cbor.truncated", f"{n} items announced, fewer bytes left", self.at)
        self.items += n
        if self.items > MAX_ITEMS:
            self.fail("cbor.items", f"more than {MAX_ITEMS} items", self.at)

    def text(self, n: int) -> str:
        start = self.at
        try:
            return self.take(n).decode()
        except UnicodeDecodeError as err:
            self.fail("cbor.malformed", "text is not UTF-8", start + err.start)

    def map(self, n: int, depth: int) -> dict[int | str, Any]:
        self.enter(2 * n, depth)
        found: dict[int | str, Any] = {}
        last = b""
        for _ in range(n):
            start = self.at
            key = self.item(depth + 1)
            if type(key) is not int and type(key) is not str:
                self.fail("cbor.type", "a key is an integer or text", start)
            if key in found:
                self.fail("cbor.duplicate", "the same key twice", start)
            wire = self.raw[start : self.at]
            if wire < last and self.deterministic:
                self.fail("cbor.noncanonical", "keys out of bytewise order", start)
            last = wire
            found[key] = self.item(depth + 1)
        return found

    def tagged(self, n: int, depth: int, start: int) -> Tagged:
        if n not in self.tags:
            self.fail("cbor.tag", f"tag {n} has no place here", start)
        self.enter(1, depth)
        return Tagged(n, self.item(depth + 1))
