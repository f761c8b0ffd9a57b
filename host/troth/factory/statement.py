"""A maker's declaration as a TOML file, checked word by word against its form.

One file serves two ends: `release add --statement` binds it to a release, `declaration sign` lets
it stand alone, for models and versions. Every key may be left out: what is not stated becomes
`not-shown`, never a guess.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.reference import Statement
from ..core.versions import bounds
from ..trouble import Trouble
from . import values
from .form import KEYS
from .values import Wrong

_MOST = 65_536  # bytes of a file
_BY_NAME = {key.name: key for section in KEYS.values() for key in section}
_INSTANTS = {
    key.name
    for key in _BY_NAME.values()
    if key.read in (values.day, values.day_end) and not key.field
}


def read_statement(path: Path) -> Statement:
    """Read a declaration file. Raises Trouble `statement.*` that names file, line and key."""
    try:
        raw = path.read_bytes()
        if len(raw) > _MOST:
            raise _trouble("size", path, f"more than {_MOST} bytes")
        text = raw.decode("utf-8")
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as err:
        raise _trouble("syntax", path, str(err)) from err
    except OSError as err:
        raise Trouble(
            "statement.missing", f"cannot read {path}: {err.strerror}", fix="name a TOML file"
        ) from err
    found: dict[str, Any] = {}
    for name, value in said.items():
        at = f"line {_line(text, name)}, {name[:64]!r}"
        key = _BY_NAME.get(name)
        if key is None:
            raise _trouble("unknown-key", path, f"{at}: known keys: {', '.join(sorted(_BY_NAME))}")
        try:
            found[key.field or name] = key.read(value)
        except Wrong as wrong:
            raise _trouble(wrong.kind, path, f"{at}: {wrong}") from wrong
    made = Statement(**found)
    _check_span(made, path)
    return made


def _check_span(made: Statement, path: Path) -> None:
    begins, ends = made.valid_from, made.valid_until
    if begins is not None and ends is not None and ends <= begins:
        raise _trouble("range", path, "valid_until lies before valid_from: it would never hold")


def to_map(statement: Statement) -> dict[str, Any]:
    """What was said, for the record."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(statement).items()
        if value is not None and name != "unsaid"
    }


def to_words(statement: Statement) -> dict[str, Any]:
    """What was said, for people and machines, in the words of the TOML file."""
    said = to_map(statement)
    for name in _INSTANTS & said.keys():
        said[name] = datetime.fromtimestamp(said[name], UTC).isoformat().replace("+00:00", "Z")
    if "expected_use" in said:
        years = round(said.pop("expected_use") / values.YEAR_S, 2)
        said["expected_use_years"] = int(years) if years.is_integer() else years
    return said


def from_map(said: Mapping[str, Any]) -> Statement:
    """A statement out of a record whose signature holds; a newer Troth's fields are left out.

    Raises Trouble `declaration.content`: a signature says who wrote it, not that it was Troth.
    """
    found: dict[str, Any] = {}
    for field in fields(Statement):
        value = said.get(field.name)
        if value is None or field.name == "unsaid":
            continue
        value = tuple(value) if isinstance(value, list) else value
        if not _is_of(value, str(field.type)):
            raise _content(f"{field.name} is of the wrong type")
        found[field.name] = value
    try:
        bounds(found.get("versions", "=0"))
    except ValueError as err:
        raise _content(f"versions: {err}") from err
    return Statement(**found)


def _is_of(value: object, hint: str) -> bool:
    if isinstance(value, tuple):
        return hint.startswith("tuple") and all(type(each) is str for each in value)
    return type(value).__name__ == hint.partition(" ")[0]


def _content(why: str) -> Trouble:
    return Trouble(
        "declaration.content",
        "the record is signed, yet is no declaration of ours",
        why=why,
        fix="ask who signed it for the record again",
    )


def _line(text: str, key: str) -> int:
    """Where a top-level key stands; tomllib does not tell."""
    found = re.search(rf"""(?m)^[ \t]*(?:\[+[ \t]*)?["']?{re.escape(key)}\b""", text)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _trouble(code: str, path: Path, why: str) -> Trouble:
    return Trouble(
        f"statement.{code}", f"{path.name} is not a statement", why=why, fix=f"edit {path}"
    )
