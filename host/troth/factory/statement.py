"""The maker's statement for a model: a TOML file, checked word by word before it is signed.

Every key may be left out: what is not stated becomes `not-shown`, never a guess.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ..core.reference import Statement
from ..trouble import Trouble

_YEAR_S = 31_536_000  # 365 days: five of them are the 157 680 000 s of the support duty
_PASSWORDS = ("none", "user", "unique", "default")
_MARKETS = ("eu", "uk", "au", "us-ca")


class _Wrong(ValueError):
    """What a value should have been; `range` when only its size or word is wrong."""

    def __init__(self, want: str, kind: str = "type") -> None:
        super().__init__(want)
        self.kind = kind


def _text(value: object) -> str:
    if type(value) is not str or not value.strip():
        raise _Wrong("want text")
    if len(value) > 500:
        raise _Wrong("want at most 500 characters", "range")
    return value


def _url(value: object) -> str:
    text = _text(value)
    if not re.fullmatch(r"https://[^\s/]+(/\S*)?", text):
        raise _Wrong("want an address that begins with https://", "range")
    return text


def _contact(value: object) -> str:
    text = _text(value)
    if "@" not in text and not text.startswith(("https://", "tel:")):
        raise _Wrong("want an e-mail address, an https:// page or a tel: number", "range")
    return text


def _day_end(value: object) -> int:
    """Support that ends on a day lasts until that day's last second, and is shown as that day."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _Wrong("want a date, or a time with its offset")
        return int(value.timestamp())
    if not isinstance(value, date):
        raise _Wrong("want a date such as 2031-12-31, without quotes")
    midnight = datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)
    return int(midnight.timestamp()) - 1


def _days(value: object) -> int:
    if type(value) is not int:
        raise _Wrong("want a whole number of days")
    if not 1 <= value <= 3650:
        raise _Wrong("want 1 to 3650 days", "range")
    return value


def _years(value: object) -> int:
    if type(value) is not int and type(value) is not float:
        raise _Wrong("want a number of years")
    if not 0 < float(value) <= 100:
        raise _Wrong("want more than 0 and at most 100 years", "range")
    return int(float(value) * _YEAR_S)


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise _Wrong("want true or false")
    return value


def _list(value: object) -> tuple[str, ...]:
    if type(value) is not list or not value or not all(type(item) is str for item in value):
        raise _Wrong('want a list of texts such as ["a", "b"]')
    if len(value) > 64 or max(map(len, value)) > 64:
        raise _Wrong("want at most 64 texts of at most 64 characters", "range")
    return tuple(value)


def _markets(value: object) -> tuple[str, ...]:
    markets = _list(value)
    if not set(markets) <= set(_MARKETS):
        raise _Wrong(f"want some of {', '.join(_MARKETS)}", "range")
    return markets


def _password_kind(value: object) -> str:
    if value not in _PASSWORDS:
        raise _Wrong(f"want one of {', '.join(_PASSWORDS)}", "range")
    return str(value)


# key of the file -> field of Statement, and how it is read
_KEYS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "support_url": ("support_url", _url),
    "support_end": ("support_end", _day_end),
    "expected_use_years": ("expected_use", _years),
    "support_justification": ("support_justification", _text),
    "vdp_url": ("vdp_url", _url),
    "vdp_contact": ("vdp_contact", _contact),
    "vdp_ack_days": ("vdp_ack_days", _days),
    "vdp_status_days": ("vdp_status_days", _days),
    "statement_ref": ("statement_ref", _text),
    "statement_models": ("statement_models", _list),
    "markets": ("markets", _markets),
    "password_kind": ("password_kind", _password_kind),
    "update_impossible_reason": ("update_impossible_reason", _text),
    "isolable": ("isolable", _flag),
    "replaceable": ("replaceable", _flag),
}


def read_statement(path: Path) -> Statement:
    """Read a statement file. Raises Trouble `statement.*` that names file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise _trouble("syntax", path, str(err)) from err
    except OSError as err:
        raise Trouble(
            "statement.missing", f"cannot read {path}: {err.strerror}", fix="name a TOML file"
        ) from err
    values: dict[str, Any] = {}
    for key, value in said.items():
        at = f"line {_line(text, key)}, {key}"
        if key not in _KEYS:
            raise _trouble("unknown-key", path, f"{at}: known keys: {', '.join(sorted(_KEYS))}")
        field, read = _KEYS[key]
        try:
            values[field] = read(value)
        except _Wrong as wrong:
            raise _trouble(wrong.kind, path, f"{at}: {wrong}") from wrong
    return Statement(**values)


def to_map(statement: Statement) -> dict[str, Any]:
    """What was said, for the record."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(statement).items()
        if value is not None
    }


def to_words(statement: Statement) -> dict[str, Any]:
    """What was said, for people and machines, in the words of the TOML file."""
    said = to_map(statement)
    if "support_end" in said:
        end = datetime.fromtimestamp(said["support_end"], UTC)
        said["support_end"] = end.isoformat().replace("+00:00", "Z")
    if "expected_use" in said:
        years = round(said.pop("expected_use") / _YEAR_S, 2)
        said["expected_use_years"] = int(years) if years.is_integer() else years
    return said


def from_map(said: Mapping[str, Any]) -> Statement:
    """A statement out of a record whose signature holds; a newer Troth's fields are left out."""
    known = {field.name for field in fields(Statement)}
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in said.items()
        if name in known
    }
    return Statement(**values)


def _line(text: str, key: str) -> int:
    """Where a top-level key stands; tomllib does not tell."""
    found = re.search(rf"""(?m)^[ \t]*(?:\[+[ \t]*)?["']?{re.escape(key)}\b""", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _trouble(code: str, path: Path, why: str) -> Trouble:
    return Trouble(
        f"statement.{code}", f"{path.name} is not a statement", why=why, fix=f"edit {path}"
    )
