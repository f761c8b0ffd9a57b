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
    """Read one file that must hold one mapping; anything else is Trouble with its line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as err:
        raise Trouble("duty.file", f"cannot read {path.name}", why=str(err.strerror)) from err
    except RecursionError as err:
        raise _refuse(path, 1, "nested too deep") from err
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        mark = getattr(err, "problem_mark", None)
        problem = getattr(err, "problem", None) or "not text in UTF-8"
        raise _refuse(path, mark.line + 1 if mark else 1, problem) from err
    if not isinstance(node, yaml.MappingNode):
        raise _refuse(path, 1, "want a mapping")
    return _Reader(path).table(node)


def _refuse(path: Path, line: int, what: str) -> Trouble:
    return Trouble("duty.file", f"{path.name}:{line}: {what}", why=f"{path}:{line}")


class _Reader:
    """Turns the nodes of one file into values; each node once, so that no alias can unfold."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[int] = set()

    def table(self, node: yaml.MappingNode) -> Table:
        table = Table(self._path, _line(node))
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in table:
                raise _refuse(self._path, _line(key_node), f"{key} is given twice")
            table.lines[key] = _line(key_node)
            table[key] = self._value(value_node)
        return table

    def _value(self, node: yaml.Node) -> Any:
        if id(node) in self._seen:
            raise _refuse(self._path, _line(node), "aliases are not for these files")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self.table(node)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item) for item in node.value]
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return _plain(node.tag.rpartition(":")[2], str(node.value))
        except ValueError as err:
            raise _refuse(self._path, _line(node), f"cannot read {node.value[:40]}") from err


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _plain(kind: str, text: str) -> bool | int | str | None:
    match kind:
        case "int":
            return int(text.replace("_", ""), 0)
        case "bool":
            return text.lower() in ("true", "yes", "on")
        case "null":
            return None
        case "timestamp":  # a day is its first second in UTC
            day = date.fromisoformat(text)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        case _:
            return text
