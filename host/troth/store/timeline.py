"""Reading answers over time: what holds now, what held then, and how it came to be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, func, literal_column, select
from sqlalchemy.engine import Connection, Row

from ..core.duties import Appraisal, Assurance, Outcome, Party, Reason, Subject
from ..core.verdict import State
from . import schema, sheets
from .rows import IntervalRow, StateRow, Stood

_verdicts, _states, _heads = schema.verdicts, schema.states, schema.heads


def current(
    conn: Connection, kind: str | None, subject: str | None, as_of: int | None
) -> tuple[IntervalRow, ...]:
    """Open intervals, or those that held at an instant."""
    asked = select(_verdicts)
    if subject is not None:
        asked = asked.where(_verdicts.c.subject_kind == kind, _verdicts.c.subject == subject)
    found = [_interval(row) for row in conn.execute(_held(asked, _verdicts, as_of))]
    if kind in ("unit", None):
        found += (row for row in sheets.intervals(conn, subject) if _holds(row, as_of))
    return tuple(sorted(found, key=lambda row: (row.subject_kind, row.subject, row.appraisal.duty)))


def shared(conn: Connection, as_of: int | None) -> tuple[IntervalRow, ...]:
    """The answers that are no unit's own."""
    kinds = [kind.value for kind in Subject if kind is not Subject.UNIT]
    asked = select(_verdicts).where(_verdicts.c.subject_kind.in_(kinds)).order_by(_verdicts.c.id)
    return tuple(_interval(row) for row in conn.execute(_held(asked, _verdicts, as_of)))


def _holds(row: IntervalRow, as_of: int | None) -> bool:
    if as_of is None:
        return row.to is None
    return row.since <= as_of and (row.to is None or row.to > as_of)


def history(conn: Connection, kind: str, subject: str, duty: str | None) -> tuple[IntervalRow, ...]:
    asked = select(_verdicts).where(
        _verdicts.c.subject_kind == kind, _verdicts.c.subject == subject
    )
    if duty is not None:
        asked = asked.where(_verdicts.c.duty == duty)
    found = [_interval(row) for row in conn.execute(asked.order_by(_verdicts.c.id.desc()))]
    if kind == "unit":
        told = list(sheets.intervals(conn, subject))
        found += (row for row in reversed(told) if duty in (None, row.appraisal.duty))
    return tuple(sorted(found, key=lambda row: row.since, reverse=True))


def failing_since(
    conn: Connection, as_of: int | None, kind: str | None = None, subject: str | None = None
) -> dict[tuple[str, str, str], int]:
    """Since when each failing answer fails without a break, however often it was reworded."""
    found = failing_rows(conn, as_of, kind, subject)
    if kind in ("unit", None):
        found |= sheets.failing_since(conn, as_of, subject)
    return found


def failing_rows(
    conn: Connection, as_of: int | None, kind: str | None = None, subject: str | None = None
) -> dict[tuple[str, str, str], int]:
    """The same of those answers alone that stand on no sheet."""
    before = _verdicts.alias()
    same = and_(
        *(before.c[name] == _verdicts.c[name] for name in ("subject_kind", "subject", "duty")),
        before.c.since <= _verdicts.c.since,
    )
    held = select(func.max(before.c.to)).where(
        same, before.c.outcome != Outcome.NOT_MET.value, before.c.id < _verdicts.c.id
    )
    first = select(func.min(before.c.since)).where(same)
    asked = select(
        _verdicts.c.subject_kind,
        _verdicts.c.subject,
        _verdicts.c.duty,
        func.coalesce(held.scalar_subquery(), first.scalar_subquery()).label("failing"),
    ).where(_verdicts.c.outcome == literal_column("'not-met'"))  # as its index says it
    if subject is not None:
        asked = asked.where(_verdicts.c.subject_kind == kind, _verdicts.c.subject == subject)
    rows = conn.execute(_held(asked, _verdicts, as_of))
    return {(row.subject_kind, row.subject, row.duty): row.failing for row in rows}


def subjects(conn: Connection, device: str, as_of: int | None) -> dict[str, str]:
    asked = _held(select(_states.c.subjects).where(_states.c.device == device), _states, as_of)
    found = conn.execute(asked).scalar()
    return {"unit": device, **(json.loads(found) if found else {})}


def stood(conn: Connection, device: str) -> tuple[Stood, ...]:
    """Under which release, model and maker a device stood from when to when, oldest first."""
    asked = select(_states.c.subjects, _states.c.since, _states.c.to)
    found: dict[tuple[str, str], list[Stood]] = {}
    for row in conn.execute(asked.where(_states.c.device == device).order_by(_states.c.id)):
        for kind, subject in json.loads(row.subjects).items():
            made = found.setdefault((kind, subject), [])
            goes_on = made and made[-1].to == row.since
            since = made.pop().since if goes_on else row.since
            made.append(Stood(kind, subject, since, row.to))
    return tuple(each for made in found.values() for each in made)


def state(conn: Connection, device: str, as_of: int | None) -> StateRow | None:
    found = _state_rows(
        conn, _held(_state_select().where(_states.c.device == device), _states, as_of)
    )
    return next(iter(found), None)


def states(conn: Connection, as_of: int | None) -> dict[str, StateRow]:
    return {row.device: row for row in _state_rows(conn, _held(_state_select(), _states, as_of))}


def state_history(conn: Connection, device: str) -> tuple[StateRow, ...]:
    asked = _state_select().where(_states.c.device == device).order_by(_states.c.id.desc())
    return tuple(_state_rows(conn, asked))


def due(conn: Connection, now: int) -> tuple[str, ...]:
    asked = select(_heads.c.device).where(_heads.c.until <= now).order_by(_heads.c.until)
    return tuple(conn.execute(asked).scalars())


def _held(asked: Any, table: Any, as_of: int | None) -> Any:
    """Those that are open, or that held at an instant: an interval ends before its end."""
    return asked.where(sheets.held_at(table, as_of))


def _state_select() -> Any:
    sets = schema.duty_sets
    return (
        select(_states, sets.c.regimes, sets.c.mandatory, _heads.c.until)
        .join(sets, sets.c.digest == _states.c.duty_set)
        .outerjoin(_heads, _heads.c.device == _states.c.device)
    )


def _state_rows(conn: Connection, asked: Any) -> Iterable[StateRow]:
    for row in conn.execute(asked):
        yield StateRow(
            id=row.id,
            device=row.device,
            state=State(row.state),
            regimes=tuple(json.loads(row.regimes)),
            duty_set=row.duty_set,
            mandatory=tuple(json.loads(row.mandatory)),
            failing=tuple(json.loads(row.failing)),
            until=row.until if row.to is None else None,
            evidence=row.evidence,
            since=row.since,
            to=row.to,
        )


def _interval(row: Row[Any]) -> IntervalRow:
    said = Appraisal(
        duty=row.duty,
        subject=Subject(row.subject_kind),
        outcome=Outcome(row.outcome),
        reason=Reason(row.reason) if row.reason else None,
        because=row.because,
        assurance=Assurance(row.assurance),
        owed_by=Party(row.owed_by) if row.owed_by else None,
        owed_because=row.owed_because,
        remedy=row.remedy,
        until=row.until,
        live=row.subject_kind == "unit",
    )
    return IntervalRow(row.id, row.subject_kind, row.subject, said, row.evidence, row.since, row.to)
