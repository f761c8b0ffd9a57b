"""Literal secrets in a release: the same meaning as the agent's scan on the board.

A name that promises a secret, given a quoted value; a Wi-Fi key handed to connect() or config();
a private key in PEM. Only a place leaves this file, never a value. A test holds both scans equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = (
    "password", "passwd", "passphrase", "pass", "pwd", "psk", "secret", "token",
    "api_key", "apikey", "private_key",
)  # fmt: skip
CALLS = ("connect", "config")
MIN_VALUE = 4  # WebREPL's shortest password
MIN_WIFI_KEY = 8  # WPA2's shortest passphrase
MIN_STRING = 6  # shortest printable run that counts as text in an image


def _literal(shortest: int) -> str:
    """A string of that length, closed on its own line."""
    return rf"""[brfu]?(?:"[^"\n]{{{shortest},}}"|'[^'\n]{{{shortest},}}')"""


_KEY = _literal(MIN_WIFI_KEY)
# `wifi_password = "..."`, `"token": "..."`, `x["psk"] = "..."`; not `bypass`, not `==`
_ASSIGNED = re.compile(
    rf"(?<![a-z])(?:{'|'.join(NAMES)})(?![a-z0-9_])"
    rf"(?=[\"']*\]*[ \t]*(?:=(?!=)|:)[ \t]*{_literal(MIN_VALUE)})".encode()
)
# `connect("ssid", "key")`, or `key="..."` among the arguments on this line
_HANDED_OVER = re.compile(
    rf"(?:{'|'.join(CALLS)})\("
    rf"(?=(?:(?!key=)[^\n])*key={_KEY}|(?![^\n]*key=){_literal(1)} *,* *{_KEY})".encode()
)
# a head of at most 13 more bytes before it, whatever they are ("rsa ", "encrypted ", ...)
_HEADS = "|".join(rf"(?<=-----begin .{{{more}}})" for more in range(14))
_PEM = re.compile(rf"(?s)(?:{_HEADS})private key-----".encode())
_TEXT = re.compile(rb"[\t\x20-\x7e]{%d,}" % MIN_STRING)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a literal secret stands; the secret itself is never kept."""

    path: str  # "image" for the app image
    line: int  # 0: no line, in an image
    kind: str  # assigned wifi-key private-key


def scan_text(text: bytes, path: str = "") -> tuple[Hit, ...]:
    """Every literal secret of a file, by line."""
    low = text.lower()
    found = [
        (match.start(), kind)
        for kind, pattern in (
            ("assigned", _ASSIGNED),
            ("wifi-key", _HANDED_OVER),
            ("private-key", _PEM),
        )
        for match in pattern.finditer(low)
    ]
    return tuple(Hit(path, low.count(b"\n", 0, at) + 1, kind) for at, kind in sorted(found))


def scan_image(image: bytes) -> tuple[Hit, ...]:
    """Every literal secret among the printable strings of an image."""
    strings = b"\n".join(_TEXT.findall(image))
    return tuple(Hit("image", 0, hit.kind) for hit in scan_text(strings))


def scan_release(image: bytes, files: Mapping[str, bytes]) -> tuple[Hit, ...]:
    """Every literal secret that a release would carry onto each unit."""
    hits = [hit for path, text in sorted(files.items()) for hit in scan_text(text, path)]
    return (*hits, *scan_image(image))
