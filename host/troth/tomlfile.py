"""How a TOML file of a home is read: whole, and with no key that nobody knows."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .trouble import Trouble


def read_toml(path: Path, noun: str) -> dict[str, Any]:
    """Raises Trouble `NOUN.syntax` or `NOUN.unreadable`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise Trouble(f"{noun}.syntax", f"{path.name}: {err}", fix=f"edit {path}") from err
    except OSError as err:
        raise Trouble(f"{noun}.unreadable", f"cannot read {path}: {err.strerror}") from err


def check_keys(said: dict[str, Any], known: set[str], path: Path, noun: str) -> None:
    """Raises Trouble `NOUN.unknown-key`."""
    unknown = sorted(set(said) - known)
    if unknown:
        raise Trouble(
            f"{noun}.unknown-key",
            f"{path.name} has an unknown key {unknown[0]!r}",
            why=f"known keys: {', '.join(sorted(known))}",
            fix=f"edit {path}",
        )
