"""A security.txt (RFC 9116): where flaws may be told, and until when that holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..trouble import Trouble

_MOST = 65_536


class Contact(NamedTuple):
    contacts: tuple[str, ...]
    expires: int | None


def read(path: Path) -> Contact:
    """Raises Trouble `feed.missing`, `feed.size`, `feed.syntax` or `feed.foreign`."""
    try:
        raw = path.read_bytes()
        lines = raw.decode("utf-8").splitlines()
    except OSError as err:
        raise Trouble(
            "feed.missing", f"cannot read {path}", why=str(err.strerror), fix="name a file"
        ) from err
    except UnicodeDecodeError as err:
        raise Trouble(
            "feed.syntax", f"{path.name} is no text", why=str(err), fix="fetch it again"
        ) from err
    if len(raw) > _MOST:
        raise Trouble("feed.size", f"{path.name} is too long", fix="give a security.txt")
    fields = [
        (name.strip().lower(), value.strip())
        for line in lines
        if not line.startswith(("#", "-"))
        for name, colon, value in [line.partition(":")]
        if colon
    ]
    contacts = tuple(value for name, value in fields if name == "contact" and value)
    if not contacts:
        raise Trouble(
            "feed.foreign",
            f"{path.name} names no contact",
            why="no line begins with Contact:",
            fix="give the security.txt that the maker publishes",
        )
    expiries = [value for name, value in fields if name == "expires"]
    if len(expiries) > 1:
        raise Trouble(
            "feed.syntax", f"{path.name} has Expires twice", fix="ask the maker to mend it"
        )
    return Contact(contacts, _instant(expiries[0], path) if expiries else None)


def _instant(text: str, path: Path) -> int:
    try:
        at = datetime.fromisoformat(text.replace("z", "Z").replace("Z", "+00:00"))
    except ValueError as err:
        raise Trouble(
            "feed.syntax",
            f"{path.name}: Expires is no time",
            why=text[:80],
            fix="ask the maker to mend it",
        ) from err
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
