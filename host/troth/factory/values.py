"""The kinds of values that a declaration may hold, and what each must look like."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..core.versions import bounds

YEAR_S = 31_536_000  # 365 days: five of them are the 157 680 000 s of the support duty
MARKETS = ("eu", "uk", "au", "us-ca")
Reader = Callable[[object], Any]


class Wrong(ValueError):
    """What a value should have been; `range` when only its size or word is wrong."""

    def __init__(self, want: str, kind: str = "type") -> None:
        super().__init__(want)
        self.kind = kind


def text(value: object) -> str:
    if type(value) is not str or not value.strip():
        raise Wrong("want text")
    if len(value) > 500 or not value.isprintable():
        raise Wrong("want one line of at most 500 printable characters", "range")
    return value


def none_or_text(value: object) -> str:
    """An empty text is a word too: there is none."""
    return "" if value == "" else text(value)


def url(value: object) -> str:
    said = text(value)
    if not re.fullmatch(r"https://[^\s/]+(/\S*)?", said):
        raise Wrong("want an address that begins with https://", "range")
    return said


def urls(value: object) -> tuple[str, ...]:
    return tuple(url(each) for each in _items(value))


def contact(value: object) -> str:
    said = text(value)
    if "@" not in said and not said.startswith(("https://", "tel:")):
        raise Wrong("want an e-mail address, an https:// page or a tel: number", "range")
    return said


def day(value: object) -> int:
    """The first second of a day, UTC; or a very instant."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise Wrong("want a date, or a time with its offset")
        return int(value.timestamp())
    if not isinstance(value, date):
        raise Wrong("want a date such as 2031-12-31, without quotes")
    return int(datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp())


def day_end(value: object) -> int:
    """What ends on a day lasts until that day's last second, and is shown as that day."""
    begins = day(value)
    if isinstance(value, datetime):
        return begins
    return begins + int(timedelta(days=1).total_seconds()) - 1


def days(value: object) -> int:
    if type(value) is not int:
        raise Wrong("want a whole number of days")
    if not 1 <= value <= 3650:
        raise Wrong("want 1 to 3650 days", "range")
    return value


def years(value: object) -> int:
    if type(value) is not int and type(value) is not float:
        raise Wrong("want a number of years")
    if not 0 < float(value) <= 100:
        raise Wrong("want more than 0 and at most 100 years", "range")
    return int(float(value) * YEAR_S)


def flag(value: object) -> bool:
    if type(value) is not bool:
        raise Wrong("want true or false")
    return value


def texts(value: object) -> tuple[str, ...]:
    found = _items(value)
    if len(found) > 64 or max(map(len, found)) > 128 or not all(each.strip() for each in found):
        raise Wrong("want at most 64 texts of 1 to 128 characters", "range")
    return found


def none_or_texts(value: object) -> tuple[str, ...]:
    """An empty list is a word too: there is none of it."""
    return () if value == [] else texts(value)


def some_of(words: tuple[str, ...]) -> Reader:
    def read(value: object) -> tuple[str, ...]:
        found = texts(value)
        if not set(found) <= set(words):
            raise Wrong(f"want some of {', '.join(words)}", "range")
        return found

    return read


def one_of(words: tuple[str, ...]) -> Reader:
    def read(value: object) -> str:
        if value not in words:
            raise Wrong(f"want one of {', '.join(words)}", "range")
        return str(value)

    return read


def versions(value: object) -> str:
    said = text(value)
    try:
        bounds(said)
    except ValueError as err:
        raise Wrong(str(err), "range") from err
    return said


def digest(value: object) -> str:
    if type(value) is not str or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise Wrong("want a SHA-256 in lower-case hex", "range")
    return value


def _items(value: object) -> tuple[str, ...]:
    if type(value) is not list or not value or not all(type(item) is str for item in value):
        raise Wrong('want a list of texts such as ["a", "b"]')
    return tuple(value)
