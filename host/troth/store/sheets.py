"""Sheets: what a unit is told like many others, kept once, by the digest of what it says.

A unit holds one sheet at a time, and every duty stands on it with its outcome: of an answer that
tells values of the unit's own reports the words are elsewhere. The answers of one duty over time
are read off the sheets that a unit held one after the other, so that they look like any other
interval.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from ..core.duties import Appraisal, Assurance, Outcome, Party, Reason, Subject
from . import schema
from .rows import IntervalRow

_sheets, _holdings = schema.sheets, schema.holdings
_KNOWN = 10_000
_ORDER = (_holdings.c.device, _holdings.c.since, _holdings.c.id)


class Holding(NamedTuple):
    """One unit, one sheet, for a while."""

    id: int
    device: str
    sheet: int
    evidence: int | None
    since: int
    to: int | None


def number(conn: Connection, known: dict[bytes, int], answers: Sequence[Appraisal]) -> int:
    """The sheet of these answers, written when it is the first of its kind."""
    text = json.dumps([_words(said) for said in answers], ensure_ascii=False)
    digest = hashlib.sha256(text.encode()).digest()
    if digest not in known:
        if len(known) >= _KNOWN:
            known.clear()
        where = select(_sheets.c.id).where(_sheets.c.digest == digest)
        ident = conn.execute(where).scalar()
        if ident is None:
            failing = any(_fails(said) for said in answers)
            row = insert(_sheets).values(digest=digest, answers=text, failing=failing)
            conn.execute(row)
            ident = conn.execute(where).scalar_one()
        known[digest] = ident
    return known[digest]


def every(conn: Connection, ids: Iterable[int] | None = None) -> dict[int, Mapping[str, Appraisal]]:
    """Sheets by their number: the answers, by duty."""
    asked = select(_sheets.c.id, _sheets.c.answers)
    if ids is not None:
        asked = asked.where(_sheets.c.id.in_(set(ids)))
    return {ident: read(text) for ident, text in conn.execute(asked)}


@lru_cache(maxsize=4096)
def read(text: str) -> Mapping[str, Appraisal]:
    said = (_appraisal(*words) for words in json.loads(text))
    return {each.duty: each for each in said}


def intervals(conn: Connection, device: str | None = None) -> Iterator[IntervalRow]:
    """All answers that ever stood on the sheets of a unit, or of all; as they ended."""
    asked = select(_holdings).order_by(*_ORDER)
    if device is not None:
        asked = asked.where(_holdings.c.device == device)
    held = [Holding(*row) for row in conn.execute(asked)]
    told = every(conn, None if device is None else {each.sheet for each in held})
    for _, ours in groupby(held, key=lambda each: each.device):
        yield from unfold(ours, told)


def unfold(
    held: Iterable[Holding], told: Mapping[int, Mapping[str, Appraisal]]
) -> Iterator[IntervalRow]:
    """The answers of one unit, an interval for as long as an answer stayed the very same."""
    standing: dict[str, IntervalRow] = {}
    end: int | None = None
    for each in held:
        now, end = told[each.sheet], each.to
        for duty in [duty for duty, row in standing.items() if now.get(duty) != row.appraisal]:
            yield replace(standing.pop(duty), to=each.since)
        for duty, said in now.items():
            if duty not in standing and not said.live:
                standing[duty] = IntervalRow(
                    None, "unit", each.device, said, each.evidence, each.since, None
                )
    for row in standing.values():
        yield row if end is None else replace(row, to=end)


def failing_since(
    conn: Connection, as_of: int | None, device: str | None
) -> dict[tuple[str, str, str], int]:
    """Since when without a break, for each failing answer that stands on a unit's sheet."""
    told = every(conn)
    found: dict[tuple[str, str, str], int] = {}
    for ours in _histories(conn, as_of, device):
        for duty, now in told[ours[0].sheet].items():
            if now.live or not _fails(now):
                continue
            since = ours[0].since
            for before in ours[1:]:
                said = told[before.sheet].get(duty)
                if said is None or not _fails(said):
                    break
                since = before.since
            found["unit", ours[0].device, duty] = since
    return found


def _histories(conn: Connection, as_of: int | None, device: str | None) -> Iterator[list[Holding]]:
    """What each unit held up to then, newest first, of those that failed anything by then."""
    last = schema.holdings.alias()
    failing = (
        select(last.c.device)
        .join(_sheets, _sheets.c.id == last.c.sheet)
        .where(_sheets.c.failing, held_at(last, as_of))
    )
    asked = select(_holdings).order_by(*(column.desc() for column in _ORDER))
    if as_of is not None:
        asked = asked.where(_holdings.c.since <= as_of)
    if device is not None:
        asked = asked.where(_holdings.c.device == device)
        failing = failing.where(last.c.device == device)
    asked = asked.where(_holdings.c.device.in_(failing))
    rows = (Holding(*row) for row in conn.execute(asked))
    for _, ours in groupby(rows, key=lambda each: each.device):
        yield list(ours)


def held_at(table: Any, as_of: int | None) -> Any:
    """What is open, or held at an instant: an interval ends before its end."""
    if as_of is None:
        return table.c.to.is_(None)
    return (table.c.since <= as_of) & (table.c.to.is_(None) | (table.c.to > as_of))


def _fails(said: Appraisal) -> bool:
    return said.outcome is Outcome.NOT_MET


def _words(said: Appraisal) -> tuple[Any, ...]:
    head = (
        said.duty,
        said.outcome.value,
        said.reason.value if said.reason else None,
        said.assurance.value,
        said.owed_by.value if said.owed_by else None,
    )
    if said.live:
        return head
    return (*head, said.because, said.owed_because, said.remedy, said.until)


def _appraisal(
    duty: str,
    outcome: str,
    reason: str | None,
    assurance: str,
    owed_by: str | None,
    *words: Any,
) -> Appraisal:
    because, owed_because, remedy, until = words or ("", "", "", None)
    return Appraisal(
        duty=duty,
        subject=Subject.UNIT,
        outcome=Outcome(outcome),
        reason=Reason(reason) if reason else None,
        because=because,
        assurance=Assurance(assurance),
        owed_by=Party(owed_by) if owed_by else None,
        owed_because=owed_because,
        remedy=remedy,
        until=until,
        live=not words,
    )
