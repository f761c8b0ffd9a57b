"""Strangers' JSON files: bounded, whole, every key once; what is wrong is told with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from ..trouble import Trouble

MOST_BYTES = 16 * 1024 * 1024  # of one document
MOST_FILES = 300_000  # of one mirror
MOST_TEXT = 4096
_PURL = re.compile(r"pkg:([a-z0-9.+-]+)/([^@?#\s]{1,400})(?:@([^?#\s]{1,200}))?")


class Node:
    """One value of a document, with the way to it: what is asked of it is there, or it is told."""

    def __init__(self, value: Any, file: Path, path: str = "") -> None:
        self.value = value
        self.file = file
        self.path = path

    def fail(self, why: str) -> NoReturn:
        raise Trouble(
            "feed.field",
            f"{self.file.name} is not as its format wants it",
            why=f"{self.path or '/'}: {why}",
            fix=f"fetch it again; if it stays so, tell who publishes {self.file.name}",
        )

    def map(self) -> dict[str, Any]:
        if type(self.value) is not dict:
            self.fail("want an object")
        found: dict[str, Any] = self.value
        return found

    def get(self, key: str) -> Node | None:
        """What stands under a key; None: nothing."""
        value = self.map().get(key)
        return None if value is None else Node(value, self.file, f"{self.path}/{key}")

    def need(self, key: str) -> Node:
        found = self.get(key)
        if found is None:
            self.fail(f"{key} is missing")
        return found

    def each(self, key: str) -> Iterator[Node]:
        """The items of a list under a key; none when there is no such key."""
        found = self.get(key)
        if found is None:
            return
        if type(found.value) is not list:
            found.fail("want a list")
        for at, item in enumerate(found.value):
            yield Node(item, self.file, f"{found.path}/{at}")

    def text(self) -> str:
        if type(self.value) is not str or not 0 < len(self.value) <= MOST_TEXT:
            self.fail(f"want text of 1 to {MOST_TEXT} characters")
        return str(self.value)

    def said(self, key: str) -> str:
        """A text under a key, or nothing."""
        found = self.get(key)
        return "" if found is None or found.value == "" else found.text()

    def instant(self) -> int:
        text = self.text()
        try:
            at = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            self.fail("want a time such as 2026-11-23T08:00:00Z")
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def read_json(path: Path) -> Node:
    """Raises Trouble `feed.missing`, `feed.size` or `feed.syntax`."""
    return parse_json(path, read_raw(path))


def read_raw(path: Path) -> bytes:
    """Raises Trouble `feed.missing` or `feed.size`."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Trouble(
                "feed.size",
                f"{path.name} has more than {MOST_BYTES >> 20} MiB",
                fix="give the documents one by one, or a folder of them",
            )
        return path.read_bytes()
    except OSError as err:
        raise Trouble(
            "feed.missing", f"cannot read {path}", why=str(err.strerror), fix="name a file"
        ) from err


def parse_json(path: Path, raw: bytes) -> Node:
    """Raises Trouble `feed.syntax`."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no)
    except (ValueError, RecursionError) as err:
        raise Trouble(
            "feed.syntax",
            f"{path.name} is cut off, or no JSON",
            why=str(err) or "nested too deep",
            fix="fetch it again, whole",
        ) from err
    return Node(value, path)


def files_of(place: Path) -> list[Path]:
    """A document, or all of a folder's. Trouble `feed.missing`, `feed.size`."""
    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.rglob("*.json") if path.is_file())
    if len(found) > MOST_FILES:
        raise Trouble(
            "feed.size", f"{place} has more than {MOST_FILES} documents", fix="mirror less"
        )
    if not found:
        raise Trouble("feed.missing", f"{place} holds no .json document", fix="name the mirror")
    return found


def package_of(purl: str) -> tuple[str, str]:
    """A purl's name without version, and its version. Raises ValueError."""
    found = _PURL.fullmatch(purl.strip().partition("?")[0].partition("#")[0])
    if found is None:
        raise ValueError("want a package URL such as pkg:pypi/name@1.0")
    kind, name, version = found.groups()
    return f"pkg:{kind}/{_plain(kind, name)}", (version or "").replace("%2B", "+")


def package(ecosystem: str, name: str) -> str:
    """The same from the ecosystem and the name by which OSV calls it."""
    kind = ecosystem.partition(":")[0].lower()
    kind = {"crates.io": "cargo", "packagist": "composer", "go": "golang"}.get(kind, kind)
    return f"pkg:{kind}/{_plain(kind, name)}"


def _plain(kind: str, name: str) -> str:
    name = name.replace("%40", "@").lower()
    return re.sub(r"[-_.]+", "-", name) if kind == "pypi" else name


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:80]!r} stands twice in one object")
    return found


def _no(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")
