"""YAML that remembers its lines, so that every complaint about a file can name the place."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from ..trouble import Trouble

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times quicker


class Table(dict[str, Any]):
    """A YAML mapping with the line of each key, and the file it stands in."""

    def __init__(self, path: Path, line: int) -> None:
        super().__init__()
        self.path = path
        self.line = line
        self.lines: dict[str, int] = {}

    def place(self, key: str = "") -> str:
        return f"{self.path.name}:{self.lines.get(key, self.line)}"

    def refuse(self, code: str, what: str, key: str = "", *, fix: str = "") -> Trouble:
        """The complaint about this key, ready to raise."""
        line = self.lines.get(key, self.line)
        return Trouble(code, f"{self.path.name}:{line}: {what}", why=f"{self.path}:{line}", fix=fix)


def read(path: Path) -> Table:
    """Read one file that must hold one mapping."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as err:
        raise Trouble("duty.file", f"cannot read {path.name}", why=str(err.strerror)) from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        mark = getattr(err, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(err, "problem", None) or "not text in UTF-8"
        raise Trouble("duty.file", f"{path.name}:{line}: {problem}", why=f"{path}:{line}") from err
    if not isinstance(node, yaml.MappingNode):
        raise Trouble("duty.file", f"{path.name}:1: want a mapping", why=f"{path}:1")
    return _table(node, path)


def _table(node: yaml.MappingNode, path: Path) -> Table:
    table = Table(path, node.start_mark.line + 1)
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        table.lines.setdefault(key, line)
        if key in table:
            raise Trouble("duty.file", f"{path.name}:{line}: {key} is given twice")
        table[key] = _value(value_node, path)
    return table


def _value(node: yaml.Node, path: Path) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _table(node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, path) for item in node.value]
    return _scalar(node, path)


def _scalar(node: yaml.Node, path: Path) -> Any:
    match node.tag.rpartition(":")[2]:
        case "int":
            return int(node.value.replace("_", ""), 0)
        case "bool":
            return node.value.lower() in ("true", "yes", "on")
        case "null":
            return None
        case "timestamp":
            return _instant(node.value, node.start_mark.line + 1, path)
        case _:
            return str(node.value)


def _instant(text: str, line: int, path: Path) -> int:
    """A day is its first second in UTC."""
    try:
        day = date.fromisoformat(text)
    except ValueError as err:
        raise Trouble("duty.file", f"{path.name}:{line}: want a day like 2026-09-11") from err
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
