"""One duty file becomes one Duty: every field checked, every complaint with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..core.device import TRAITS, Profile
from ..core.duties import Clause, Duty, Outcome, Owed, Party, Severity, Status, Subject
from ..core.party import WORDS
from ..trouble import Trouble
from . import lines
from .checked import names
from .claims import Claim, widest
from .compiler import compile_rule
from .engine import Engine, Expression
from .lines import Table
from .provisionfile import Provisions
from .sentences import compile_because

_REQUIRED: tuple[str, ...] = (
    *("id", "title", "rationale", "severity", "party", "subject", "needs", "baseline"),
    *("ok", "because", "remedies", "tests"),
)
FIELDS = {*_REQUIRED, "owed", "when", "fresh", "turns", "references"}
_ROW = {"regime", "version", "status", "condition", "traits", "severity"}
_ROW |= {"decides", "supports", "confidence"}

_RULE = ("when", "fresh", "ok")
_WORDS: Mapping[str, type[StrEnum]] = {
    "severity": Severity,
    "party": Party,
    "subject": Subject,
    "needs": Profile,
}
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Case:
    """One in-file test: what is said, and the outcome that must come of it."""

    given: Mapping[str, Any]
    expect: Outcome
    place: str


@dataclass(frozen=True, slots=True)
class DutyFile:
    duty: Duty
    cases: tuple[Case, ...]
    expressions: tuple[Expression, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Desk:
    """What a file is checked against."""

    engine: Engine
    claims: Mapping[str, Claim]
    regimes: Mapping[str, Table]  # the headers, by id
    provisions: Mapping[str, Provisions]  # what each regime has, by its id
    tests: bool = True  # False: of files whose tests were read before they were shipped


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
    party = _word(table, "party", Party)
    duty = Duty(
        id=str(table["id"]),
        title=_text(table, "title", "en"),
        title_nl=_text(table, "title", "nl"),
        rationale=str(table["rationale"]).strip(),
        severity=_word(table, "severity", Severity),
        party=party,
        subject=_word(table, "subject", Subject),
        needs=_word(table, "needs", Profile),
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
        owed=tuple(_owed(row) for row in _rows(table, "owed")),
        clauses=tuple(c for row in _rows(table, "references") for c in _clauses(row, party, desk)),
        because=_because(table, desk),
    )
    return DutyFile(duty, _cases(table, desk) if desk.tests else (), expressions, path)


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
            yield partial(_word, table, key, kind)
    for key, check in (("title", _titles), ("remedies", _remedies)):
        if table.get(key):
            yield partial(check, table)
    if table.get("because"):
        yield partial(_because, table, desk)
    party = Party(table["party"]) if table.get("party") in tuple(Party) else Party.MAKER
    for key, part in (
        ("owed", _owed),
        ("references", partial(_clauses, party=party, desk=desk)),
        ("tests", partial(_case, desk=desk)),
    ):
        rows = table.get(key) or []
        yield partial(_rows, table, key)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Table):
                yield partial(part, row)
    if table.get("tests"):
        yield partial(_outcomes, table)


def _titles(table: Table) -> None:
    for language in ("en", "nl"):
        _text(table, "title", language)


def _outcomes(table: Table) -> None:
    """Does some test expect each outcome?"""
    said = {str(row.get("expect")) for row in _rows(table, "tests")}
    absent = sorted({outcome.value for outcome in _wanted("when" in table)} - said)
    if absent:
        raise table.refuse("duty.tests", f"no test expects {' '.join(absent)}", "tests")


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


def _word(table: Table, key: str, kind: type[Word]) -> Word:
    try:
        return kind(str(table.get(key, "")))
    except ValueError as err:
        code = f"duty.{key}" if key in ("party", "subject") else "duty.field"
        want = " ".join(kind)
        raise table.refuse(code, f"{key} wants one of {want}", key) from err


def _text(table: Table, key: str, language: str) -> str:
    texts = table[key]
    if not isinstance(texts, Table) or not isinstance(texts.get(language), str):
        raise table.refuse("duty.field", f"{key} wants {language}", key)
    return str(texts[language])


def _rows(table: Table, key: str) -> list[Table]:
    rows = table.get(key) or []
    if not isinstance(rows, list) or not all(isinstance(row, Table) for row in rows):
        raise table.refuse("duty.field", f"{key} wants a list of mappings", key)
    return rows


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
    return Owed(_word(row, "party", Party), row["when"], str(row.get("because", "")))


def _clauses(row: Table, party: Party, desk: Desk) -> list[Clause]:
    for key in row.keys() - _ROW:
        raise row.refuse("duty.reference", f"there is no field named {key}", key)
    regime, status = str(row.get("regime", "")), _word(row, "status", Status)
    if regime not in desk.regimes:
        raise row.refuse("duty.reference", f"there is no regime named {regime}", "regime")
    wanted = str(desk.regimes[regime]["version"])
    if str(row.get("version", "")) != wanted:
        raise row.refuse("duty.reference", f"version wants {wanted}, the regime's own", "version")
    if status is Status.CONDITIONAL and not row.get("condition"):
        raise row.refuse("duty.reference", "a conditional line wants its condition", "status")
    both = {key: row.get(key, []) for key in ("decides", "supports")}
    if not any(both.values()) or not all(isinstance(ids, list) for ids in both.values()):
        raise row.refuse("duty.reference", "name the provisions it decides, or supports")
    for key, provisions in both.items():
        if not all(isinstance(each, str) for each in provisions):
            raise row.refuse("duty.reference", f"{key} wants texts: put a number in quotes", key)
    # an act that does not speak to who runs a fleet cannot be broken by him
    counts = status is Status.MANDATORY or both["decides"]
    if party is Party.OPERATOR and party not in desk.regimes[regime]["addresses"] and counts:
        raise row.refuse("duty.makers-law", f"{regime} binds makers, this duty is the operator's")
    traits = _traits(row, status)
    confidence = row.get("confidence", "high")
    if confidence not in ("high", "low"):
        raise row.refuse("duty.reference", "confidence wants high or low", "confidence")
    if regime in desk.provisions:
        for key, provisions in both.items():
            for provision in provisions:
                desk.provisions[regime].check(row, key, provision, status)
    return [
        Clause(
            regime=regime,
            provision=provision,
            decides=key == "decides",
            status=status,
            version=wanted,
            condition=str(row.get("condition", "")),
            confidence=confidence,
            traits=traits,
            severity=_word(row, "severity", Severity) if "severity" in row else None,
        )
        for key, provisions in both.items()
        for provision in provisions
    ]


def _traits(row: Table, status: Status) -> frozenset[str]:
    """What a product must be, one of these at least, for a conditional line to count."""
    traits = row.get("traits", [])
    if not isinstance(traits, list) or not set(traits) <= set(TRAITS):
        raise row.refuse("duty.reference", f"traits wants some of {' '.join(TRAITS)}", "traits")
    if traits and status is not Status.CONDITIONAL:
        raise row.refuse("duty.reference", "traits are for a conditional line", "traits")
    return frozenset(traits)


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


def _cases(table: Table, desk: Desk) -> tuple[Case, ...]:
    cases = tuple(_case(row, desk) for row in _rows(table, "tests"))
    _outcomes(table)
    return cases


def _wanted(conditional: bool) -> set[Outcome]:
    wanted = {Outcome.MET, Outcome.NOT_MET, Outcome.NOT_SHOWN}
    return wanted | {Outcome.NOT_APPLICABLE} if conditional else wanted


_PYTHON = {"string": str, "int": int, "bool": bool, "list<string>": list}


def _is_of(value: object, kind: str) -> bool:
    if type(value) is not _PYTHON[kind]:
        return False
    return not isinstance(value, list) or all(type(item) is str for item in value)


def _case(row: Table, desk: Desk) -> Case:
    given = row.get("given")
    if not isinstance(given, Table):
        raise row.refuse("duty.tests", "a test wants given and expect")
    for name, value in given.items():
        if name not in desk.claims:
            raise given.refuse("duty.unknown-name", f"there is no claim named {name}", name)
        if not _is_of(value, desk.claims[name].type):
            raise given.refuse("duty.type", f"{name} wants {desk.claims[name].type}", name)
    said = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return Case(said, _word(row, "expect", Outcome), row.place())
