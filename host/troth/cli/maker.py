"""What the maker's commands share: an open home, files, and times as people write them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..trouble import Trouble

if TYPE_CHECKING:
    from ..settings import Settings
    from ..store import Store


@contextmanager
def open_home() -> Iterator[tuple[Settings, Store]]:
    """The home that the command line names, with its store open."""
    from ..settings import load_settings
    from ..store import Store

    root = click.get_current_context().find_root().obj or {}
    settings = load_settings(root.get("home"), root.get("db"))
    with Store.open(settings.db) as store:
        yield settings, store


def read_file(path: Path) -> bytes:
    """A file's bytes, or Trouble `file.missing`."""
    try:
        return path.read_bytes()
    except OSError as err:
        raise Trouble(
            "file.missing", f"cannot read {path}", why=str(err.strerror), fix="name a file"
        ) from err


def as_time(instant: int) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(instant, UTC).isoformat().replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """RFC 3339, or a date: its first second, UTC. Trouble `usage.time`."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as err:
        raise Trouble("usage.time", f"{text!r} is no time", fix="2026-11-23T08:00:00Z") from err
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())


def parse_day(text: str) -> int:
    """A date. Trouble `usage.date`."""
    try:
        day = date.fromisoformat(text)
    except ValueError as err:
        raise Trouble("usage.date", f"{text!r} is no date", fix="2026-11-23") from err
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
