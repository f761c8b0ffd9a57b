"""One duty file becomes one Duty: every field checked, every complaint with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from ..core.device import Profile
from ..core.duties import Duty, Owed, Party, Severity, Subject
from ..core.party import WORDS
from ..trouble import Trouble
from . import lines
from .cases import Case, check_outcomes, read_case, read_cases
from .checked import names
from .claims import widest
from .clauses import read_clauses
from .compiler import compile_rule
from .desk import Desk, rows, word
from .engine import Expression
from .lines import Table
from .sentences import compile_because

_REQUIRED: tuple[str, ...] = (
    *("id", "title", "rationale", "severity", "party", "subject", "needs", "baseline"),
    *("ok", "because", "remedies", "tests"),
)
FIELDS = {*_REQUIRED, "owed", "when", "fresh", "turns", "references"}

_RULE = ("when", "fresh", "ok")
_WORDS: Mapping[str, type[StrEnum]] = {
    "severity": Severity,
    "party": Party,
    "subject": Subject,
    "needs": Profile,
}


@dataclass(frozen=True, slots=True)
class DutyFile:
    duty: Duty
    cases: tuple[Case, ...]
    expressions: tuple[Expression, ...]
    path: Path


def read_duty(path: Path, desk: Desk) -> DutyFile:
    """Read, check and compile one duty."""
    table = lines.read(path, until="" if desk.tests else "tests")
    _check_fields(table, desk)
    when, fresh, ok = (_expression(table, key, desk) for key in _RULE)
    turns = _turns(table, desk)
    if ok is None:
        raise table.refuse("duty.expression", "ok is empty", "ok")
    _check_turns(table)
    expressions = tuple(part for part in (when, fresh, ok, *turns) if part is not None)
    asked = tuple(dict.fromkeys(name for part in expressions for name in names(part.tree)))
    party = word(table, "party", Party)
    duty = Duty(
        id=str(table["id"]),
        title=_text(table, "title", "en"),
        title_nl=_text(table, "title", "nl"),
        rationale=str(table["rationale"]).strip(),
        severity=word(table, "severity", Severity),
        party=party,
        subject=word(table, "subject", Subject),
        needs=word(table, "needs", Profile),
        baseline=table["baseline"] is True,
        names=asked,
        scope=widest([desk.claims[name] for name in asked]),
        when_text=when.text if when else "",
        ok_text=ok.text,
        turns_text=", ".join(each.text for each in turns),
        fresh_text=fresh.text if fresh else "",
        of_set=all(desk.claims[name].scope != "device" for name in asked),
        rule=compile_rule(when, ok, turns, desk.claims, fresh=fresh),
        remedies=_remedies(table),
        owed=tuple(_owed(row) for row in rows(table, "owed")),
        clauses=tuple(
            c for row in rows(table, "references") for c in read_clauses(row, party, desk)
        ),
        because=_because(table, desk),
    )
    return DutyFile(duty, read_cases(table, desk) if desk.tests else (), expressions, path)


def _check_fields(table: Table, desk: Desk) -> None:
    for flaw in _field_flaws(table):
        if desk.tests or flaw.code != "duty.tests":
            raise flaw


def _field_flaws(table: Table) -> Iterator[Trouble]:
    for key in table:
        if key not in FIELDS:
            yield table.refuse("duty.field", f"there is no field named {key}", key)
    for key in _REQUIRED:
        if table.get(key) in (None, "", []):
            code = f"duty.{key}" if key in ("party", "subject", "tests") else "duty.field"
            yield table.refuse(code, f"a duty without {key}")
    if table.get("id") != table.path.stem:
        yield table.refuse("duty.field", f"the id is {table.get('id')}, the file is another", "id")


def flaws(table: Table, desk: Desk) -> Iterator[Trouble]:
    """All that is wrong with a duty, where `read_duty` stops at the first."""
    yield from _field_flaws(table)
    for check in _checks(table, desk):
        try:
            check()
        except Trouble as flaw:
            yield flaw


def _checks(table: Table, desk: Desk) -> Iterator[Callable[[], object]]:
    """Each check by itself, for the fields that are there."""
    for key in _RULE:
        yield partial(_expression, table, key, desk)
    yield partial(_turns, table, desk)
    yield partial(_check_turns, table)
    for key, kind in _WORDS.items():
        if table.get(key):
            yield partial(word, table, key, kind)
    for key, check in (("title", _titles), ("remedies", _remedies)):
        if table.get(key):
            yield partial(check, table)
    if table.get("because"):
        yield partial(_because, table, desk)
    party = Party(table["party"]) if table.get("party") in tuple(Party) else Party.MAKER
    for key, part in (
        ("owed", _owed),
        ("references", partial(read_clauses, party=party, desk=desk)),
        ("tests", partial(read_case, desk=desk)),
    ):
        found = table.get(key) or []
        yield partial(rows, table, key)
        for row in found if isinstance(found, list) else ():
            if isinstance(row, Table):
                yield partial(part, row)
    if table.get("tests"):
        yield partial(check_outcomes, table)


def _titles(table: Table) -> None:
    for language in ("en", "nl"):
        _text(table, "title", language)


def _expression(table: Table, key: str, desk: Desk) -> Expression | None:
    return _checked(table, key, str(table[key]), "bool", desk) if key in table else None


def _turns(table: Table, desk: Desk) -> tuple[Expression, ...]:
    """One instant, or a list of several."""
    said = table.get("turns", [])
    texts = said if isinstance(said, list) else [said]
    return tuple(_checked(table, "turns", str(text), "int", desk) for text in texts)


def _check_turns(table: Table) -> None:
    """Who asks the clock must say when it may answer otherwise: until then nobody asks again."""
    asks = any(re.search(r"\bnow\b", str(table.get(key, ""))) for key in _RULE)
    if asks and not table.get("turns"):
        raise table.refuse(
            "duty.field", "a rule over now wants turns, the instant at which it flips"
        )


def _checked(table: Table, key: str, text: str, want: str, desk: Desk) -> Expression:
    try:
        return desk.engine.check(text, want)
    except Trouble as err:
        raise table.refuse(err.code, f"{key}: {err.what}", key, fix=err.fix) from err


def _text(table: Table, key: str, language: str) -> str:
    texts = table[key]
    if not isinstance(texts, Table) or not isinstance(texts.get(language), str):
        raise table.refuse("duty.field", f"{key} wants {language}", key)
    return str(texts[language])


def _remedies(table: Table) -> tuple[tuple[Party, str], ...]:
    remedies = table["remedies"]
    if not isinstance(remedies, Table):
        raise table.refuse("duty.field", "remedies wants a mapping of party to text", "remedies")
    for key in remedies:
        if key not in tuple(Party):
            raise remedies.refuse("duty.party", f"there is no party named {key}", key)
    return tuple((Party(key), str(text)) for key, text in remedies.items())


def _owed(row: Table) -> Owed:
    if row.get("when") not in WORDS:
        raise row.refuse("duty.owed", f"when wants one of {' '.join(WORDS)}", "when")
    return Owed(word(row, "party", Party), row["when"], str(row.get("because", "")))


def _because(table: Table, desk: Desk) -> Any:
    texts = table["because"]
    wanted = {"met", "not-met"} | ({"not-applicable"} if "when" in table else set())
    wanted |= {"not-shown"} if "fresh" in table else set()
    if not isinstance(texts, Table) or set(texts) != wanted:
        raise table.refuse("duty.field", f"because wants {' '.join(sorted(wanted))}", "because")
    try:
        return compile_because(texts, desk.claims)
    except Trouble as err:
        raise table.refuse(err.code, f"because: {err.what}", "because") from err
