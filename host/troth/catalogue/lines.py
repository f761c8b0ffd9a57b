"""YAML that remembers its lines, so that every complaint about a file can name the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from ..trouble import Trouble

# what to do about a flaw that does not say so itself
REMEDIES = {
    "duty.file": "edit the line",
    "duty.field": "see the table of fields in the catalogue's README",
    "duty.party": "name one of the parties",
    "duty.subject": "unit, release, model or maker",
    "duty.owed": "use a word of the party rule",
    "duty.reference": "see `troth regime show REGIME` for what there is",
    "duty.makers-law": "make it informative, and let the duty support it",
    "duty.expression": "keep to the small language of rules",
    "duty.unknown-name": "use a name of claims.yaml",
    "duty.type": "give it the type of the claim",
    "duty.tests": "add a test for each outcome that it names",
    "duty.vacuous": "guard it with size() > 0, and ask only lists that cannot leave anything out",
    "regime.field": "edit the line",
    "regime.provisions": "edit the line",
    "regime.coverage": "let a duty answer it, or say under uncovered why none does",
}

Tell = Callable[[Trouble], None]

_BOOLS = dict.fromkeys(("yes", "on", "true"), "true") | dict.fromkeys(
    ("no", "off", "false"), "false"
)
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
        return _trouble(code, self.path, self.lines.get(key, self.line), what, fix)


def read(path: Path, tell: Tell | None = None, *, until: str = "") -> Table:
    """Read one file that must hold one mapping; anything else is Trouble with its line.

    With `tell` the flaws that do not hide the rest are told, not raised. What comes from the
    key `until` on is left unread.
    """
    try:
        text = path.read_text(encoding="utf-8")
        if until:
            text = text.partition(f"\n{until}:\n")[0]
        node = yaml.compose(text, Loader=_Loader)
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
    return _Reader(path, tell or _raise).table(node)


def _raise(flaw: Trouble) -> None:
    raise flaw


def anchors(path: Path) -> Iterator[Trouble]:
    """Every anchor of a file: these files repeat themselves rather than point at each other."""
    try:
        for event in yaml.parse(path.read_text(encoding="utf-8"), Loader=_Loader):
            name = getattr(event, "anchor", None)
            if name and event.start_mark and not isinstance(event, yaml.AliasEvent):
                yield _refuse(
                    path, event.start_mark.line + 1, f"anchors are not for these files: &{name}"
                )
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return  # `read` tells of these


def _refuse(path: Path, line: int, what: str) -> Trouble:
    return _trouble("duty.file", path, line, what)


def _trouble(code: str, path: Path, line: int, what: str, fix: str = "") -> Trouble:
    fix = fix or REMEDIES.get(code, "edit the line")
    return Trouble(code, f"{path.name}:{line}: {what}", why=f"{path}:{line}", fix=fix)


class _Reader:
    """Turns the nodes of one file into values; each node once, so that no alias can unfold."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._seen: set[int] = set()

    def table(self, node: yaml.MappingNode) -> Table:
        table = Table(self._path, _line(node))
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in table:
                self._flaw(key_node, f"{key} is given twice")
                continue
            table.lines[key] = _line(key_node)
            table[key] = self._value(value_node)
        return table

    def _value(self, node: yaml.Node) -> Any:
        if id(node) in self._seen:
            self._flaw(node, "aliases are not for these files")
            return None
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
            self._flaw(
                node, str(err) if isinstance(err, _Trap) else f"cannot read {node.value[:40]}"
            )
            return str(node.value)

    def _flaw(self, node: yaml.Node, what: str) -> None:
        self._tell(_refuse(self._path, _line(node), what))


class _Trap(ValueError):
    """A text that YAML takes for something else."""


def _line(node: yaml.Node) -> int:
    line: int = node.start_mark.line + 1
    return line


def _plain(kind: str, text: str) -> bool | int | str | None:
    match kind:
        case "int":
            return int(text.replace("_", ""), 0)
        case "bool":
            if text not in ("true", "false"):
                raise _Trap(f"{text} is read as {_BOOLS[text.lower()]}: put it in quotes")
            return text == "true"
        case "float":  # 1.10 would be 1.1
            raise _Trap(f"{text} is read as a number: put it in quotes")
        case "null":
            return None
        case "timestamp":  # a day is its first second in UTC
            day = date.fromisoformat(text)
            return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        case _:
            return text
