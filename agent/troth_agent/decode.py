# CBOR that a verifier sends, as troth.cddl has it: short, definite, shortest heads, keys in order.
# Whatever else comes is a Trouble, never a surprise.
from micropython import const

from . import Trouble

_MAX_BYTES = const(1024)
_MAX_DEPTH = const(3)
_MAX_ITEMS = const(16)


# One item that takes all of these bytes.
def item(data):
    if len(data) > _MAX_BYTES:
        raise _wrong("too many bytes")
    value, end = _item(data, 0, _MAX_DEPTH)
    if end != len(data):
        raise _wrong("bytes left over")
    return value


# An epoch handle, when it was issued, and when it expires.
def epoch(data):
    said = item(data)
    if not isinstance(said, dict) or len(said) != 3:
        raise _wrong("no epoch")
    handle, issued, expiry = said.get(10), said.get(6), said.get(4)
    if not isinstance(handle, bytes) or len(handle) != 32:
        raise _wrong("no handle of 32 bytes")
    if not isinstance(issued, int) or not isinstance(expiry, int) or not 0 <= issued <= expiry:
        raise _wrong("no time of the handle")
    return handle, issued, expiry


# The status of an answer to evidence, and the word that says why it was refused.
def answer(data):
    said = item(data)
    status = said.get("status") if isinstance(said, dict) else None
    if not isinstance(status, int) or not 0 <= status <= 3:
        raise _wrong("no status")
    return status, word(said.get("code"))


# What a server says is printed only when it is a word of ours: no control characters, no length.
def word(said):
    if not isinstance(said, str) or not 0 < len(said) <= 32:
        return ""
    plain = all("a" <= letter <= "z" or letter in "._-" for letter in said)
    return said if plain else ""


def _item(data, at, depth):
    major, n, at = _head(data, at)
    if major == 0:
        return n, at
    if major == 1:
        return -1 - n, at
    if major == 2 or major == 3:
        end = at + n
        if end > len(data):
            raise _wrong("cut short")
        return _text(data[at:end]) if major == 3 else bytes(data[at:end]), end
    if major > 5 or n > _MAX_ITEMS or not depth:
        raise _wrong("too much, too deep or of another type")
    return (_list if major == 4 else _map)(data, at, n, depth - 1)


# Major type and argument, in the fewest bytes.
def _head(data, at):
    if at >= len(data):
        raise _wrong("cut short")
    major, n = data[at] >> 5, data[at] & 31
    at += 1
    if n < 24:
        return major, n, at
    size = 1 << (n - 24)
    if size > 8 or at + size > len(data):
        raise _wrong("a head that is indefinite or cut short")
    n = int.from_bytes(data[at : at + size], "big")
    if n < (24 if size == 1 else 1 << 4 * size):
        raise _wrong("a head that is too long")
    return major, n, at + size


def _text(data):
    try:
        return str(data, "utf-8")
    except ValueError:
        raise _wrong("text that is none")


def _list(data, at, n, depth):
    items = []
    for _ in range(n):
        value, at = _item(data, at, depth)
        items.append(value)
    return items, at


# Each key after the one before, in the order of their bytes: so none comes twice.
def _map(data, at, n, depth):
    items = {}
    before = b""
    for _ in range(n):
        key, end = _item(data, at, 0)
        if bytes(data[at:end]) <= before:
            raise _wrong("keys out of order")
        before = bytes(data[at:end])
        items[key], at = _item(data, end, depth)
    return items, at


def _wrong(what):
    return Trouble("link.cbor", "the verifier's answer: " + what)
