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
    __slots__ = ("at", "deterministic", "items", "path", "raw", "tags")

    def __init__(self, raw: bytes, path: str, tags: frozenset[int], deterministic: bool) -> None:
        self.raw = raw
        self.path = path
        self.tags = tags
        self.deterministic = deterministic
        self.at = 0
        self.items = 0

    def fail(self, code: str, text: str, at: int) -> NoReturn:
        raise Malformed(code, text, path=self.path, offset=at)

    def item(self, depth: int) -> Any:
        start = self.at
        if depth > MAX_DEPTH:
            self.fail("cbor.depth", f"nested deeper than {MAX_DEPTH}", start)
        self.items += 1
        if self.items > MAX_ITEMS:
            self.fail("cbor.items", f"more than {MAX_ITEMS} items", start)
        major, n = self.head()
        if major == 0:
            return n
        if major == 1:
            return -1 - n
        if major == 2:
            return self.take(n)
        if major == 3:
            return self.text(n)
        if major == 4:
            return [self.item(depth + 1) for _ in range(self.fits(n))]
        if major == 5:
            return self.map(n, depth)
        if major == 6:
            if n not in self.tags:
                self.fail("cbor.tag", f"tag {n} has no place here", start)
            return Tagged(n, self.item(depth + 1))
        return _SIMPLE[n]

    def head(self) -> tuple[int, int]:
        """Major type and argument; refuses what can be told from the head alone."""
        start = self.at
        initial = self.take(1)[0]
        major, info = initial >> 5, initial & 31
        if major == 7:
            return 7, self.simple(info, start)
        if info < 24:
            return major, info
        if info == 31 and 2 <= major <= 5:
            self.fail("cbor.indefinite", "indefinite length", start)
        if info > 27:
            self.fail("cbor.malformed", f"reserved head 0x{initial:02x}", start)
        n = int.from_bytes(self.take(_HEAD_BYTES[info]), "big")
        if self.deterministic and n < _SMALLEST[info]:
            self.fail("cbor.noncanonical", f"{n} has a shorter head", start)
        return major, n

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
        end = self.at + n
        if end > len(self.raw):
            self.fail("cbor.truncated", f"{end - len(self.raw)} bytes missing", self.at)
        taken = self.raw[self.at : end]
        self.at = end
        return taken

    def fits(self, n: int) -> int:
        """A count of items that the rest of the input could hold: each takes a byte at least."""
        if n > len(self.raw) - self.at:
            self.fail("cbor.truncated", f"{n} items announced, fewer bytes left", self.at)
        return n

    def text(self, n: int) -> str:
        start = self.at
        try:
            return self.take(n).decode()
        except UnicodeDecodeError as err:
            self.fail("cbor.malformed", "text is not UTF-8", start + err.start)

    def map(self, n: int, depth: int) -> dict[int | str, Any]:
        found: dict[int | str, Any] = {}
        last = b""
        for _ in range(self.fits(n)):
            start = self.at
            key = self.item(depth + 1)
            if type(key) is not int and type(key) is not str:
                self.fail("cbor.type", "a key is an integer or text", start)
            if key in found:
                self.fail("cbor.duplicate", "the same key twice", start)
            wire = self.raw[start : self.at]
            if self.deterministic and wire < last:
                self.fail("cbor.noncanonical", "keys out of bytewise order", start)
            last = wire
            found[key] = self.item(depth + 1)
        return found
