"""The documents of one place, each held against the hashes that its publisher laid beside it.

As CSAF 2.1 distributes them (7.1.18, 7.1.19): `x.json.sha256` and `x.json.sha512` begin with the
hash in hex, `x.json.asc` is an OpenPGP signature. Signatures are counted and not checked: that
takes the publisher's key and an engine for it, where the documents are fetched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from ..fleet.words import count
from ..trouble import Trouble
from .reading import Node, files_of, parse_json, read_raw

_HASHES = {".sha256": hashlib.sha256, ".sha512": hashlib.sha512}
_MOST = 4096  # of a hash and a file name


class Pile:
    """Read from first to last it knows its digest, and what proves that it came whole."""

    def __init__(self, place: Path) -> None:
        self._paths = files_of(place)
        self._digest = hashlib.sha256()
        self._hashed = self._signed = 0

    def __iter__(self) -> Iterator[Node]:
        """Raises Trouble `feed.hash`, and what `read_json` raises."""
        for path in self._paths:
            raw = read_raw(path)
            self._hashed += _is_hashed(path, raw)
            self._signed += path.with_name(f"{path.name}.asc").is_file()
            self._digest.update(raw)
            yield parse_json(path, raw)

    def only(self) -> Node:
        """The one document of a feed that is one file."""
        return next(iter(self))

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    @property
    def proof(self) -> str:
        """Nothing where nothing lay beside them."""
        told = []
        if self._hashed:
            told.append(f"hashes hold for {self._hashed} of {count(len(self._paths), 'document')}")
        if self._signed:
            told.append(f"{count(self._signed, 'OpenPGP signature')} not checked")
        return "; ".join(told)


def _is_hashed(path: Path, raw: bytes) -> bool:
    """Does every hash beside it hold? False: there is none."""
    found = False
    for suffix, algorithm in _HASHES.items():
        beside = path.with_name(path.name + suffix)
        if not beside.is_file():
            continue
        said, own = _first_word(beside), algorithm(raw).hexdigest()
        if said != own:
            raise Trouble(
                "feed.hash",
                f"{path.name} is not what {beside.name} says",
                why=f"its hash is {own[:16]}..., beside it stands {said[:16] or 'nothing'}",
                fix="fetch both again; if they stay so, tell who publishes them",
            )
        found = True
    return found


def _first_word(path: Path) -> str:
    with path.open("rb") as file:
        words = file.read(_MOST).decode("ascii", "replace").split(maxsplit=1)
    return words[0].lower() if words else ""
