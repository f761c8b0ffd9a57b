"""What every unit was told, and since when, for who names them all: a few questions for a fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from ..core.duties import Appraisal, Outcome
from . import schema, sheets

_holdings, _verdicts = schema.holdings, schema.verdicts


class Began(NamedTuple):
    """On which of the sheets that a unit held an answer that stands today began."""

    told: int
    since: int  # if it fails: where it began to, however it was worded then


class Stay(NamedTuple):
    """Of the sheets that one unit held, oldest first: since when, and by which report."""

    since: tuple[int, ...]
    evidence: tuple[int | None, ...]
    began: Mapping[str, Began]  # by duty; one and the same for all that held the same sheets


class Words(NamedTuple):
    """What one unit was told in words of its own."""

    because: str
    remedy: str
    evidence: int | None
    since: int


def stays(conn: Connection, as_of: int) -> dict[str, Stay]:
    """Every unit up to an instant, by its id."""
    told = sheets.every(conn)
    asked = select(*(_holdings.c[name] for name in ("device", "sheet", "since", "evidence")))
    asked = asked.where(_holdings.c.since <= as_of).order_by(
        _holdings.c.device, _holdings.c.since, _holdings.c.id
    )
    known: dict[tuple[int, ...], Mapping[str, Began]] = {}
    found: dict[str, Stay] = {}
    for device, ours in groupby(conn.execute(asked).all(), key=itemgetter(0)):
        _, held, since, evidence = zip(*ours, strict=True)
        if held not in known:
            known[held] = _began([told[each] for each in held])
        found[device] = Stay(since, evidence, known[held])
    return found


def words(conn: Connection, duty: str, as_of: int) -> dict[str, Words]:
    """What units are told of a duty by values of their own reports, by their id."""
    asked = select(
        *(_verdicts.c[name] for name in ("subject", "because", "remedy", "evidence", "since"))
    ).where(
        _verdicts.c.subject_kind == "unit",
        _verdicts.c.duty == duty,
        sheets.held_at(_verdicts, as_of),
    )
    once: dict[str, str] = {}
    return {
        device: Words(
            once.setdefault(because, because), once.setdefault(remedy, remedy), evidence, since
        )
        for device, because, remedy, evidence, since in conn.execute(asked).all()
    }


def _began(told: Sequence[Mapping[str, Appraisal]]) -> dict[str, Began]:
    found = {}
    for duty, said in told[-1].items():
        first = len(told) - 1
        while first and told[first - 1].get(duty) == said:
            first -= 1
        since = first
        while since and _fails(said) and _fails(told[since - 1].get(duty)):
            since -= 1
        found[duty] = Began(first, since)
    return found


def _fails(said: Appraisal | None) -> bool:
    return said is not None and said.outcome is Outcome.NOT_MET
