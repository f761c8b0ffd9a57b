"""What reports are compared with: releases, withdrawals, statements, baselines. All kept."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import and_, func, insert, or_, select
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import IntegrityError

from ..core.reference import Release, Statement
from ..trouble import Trouble
from . import audit, schema
from .registry import bump
from .rows import BaselineRow, ReleaseRow, StatementRow

_releases, _gone = schema.releases, schema.withdrawals
_statements, _baselines = schema.statements, schema.baselines
_COLUMNS = ("id", "model", "chip", "version", "released")


def add_release(conn: Connection, row: Release, record: bytes, *, at: int, actor: str) -> None:
    values = asdict(row)
    columns = {name: values.pop(name) for name in _COLUMNS}
    del values["withdrawn"]  # said by a withdrawal only
    try:
        with conn.begin_nested():
            conn.execute(
                insert(_releases).values(
                    **columns, fields=json.dumps(values), record=record, added=at
                )
            )
    except IntegrityError as err:
        raise Trouble(
            "release.duplicate",
            f"release {row.id[:12]} is here already",
            fix="troth release list",
        ) from err
    if row.statement is not None:
        _insert_statement(conn, row.model, row.statement, record, at)
    audit.append(conn, at, actor, "release.added", row.model, f"{row.id} {row.version}")
    bump(conn)


def withdraw(conn: Connection, ident: str, record: bytes, *, at: int, actor: str) -> None:
    row = release(conn, ident)
    if row is None:
        raise Trouble("release.unknown", f"no release {ident}", fix="troth release list")
    if row.withdrawal is not None:
        raise Trouble("release.withdrawn", f"release {ident[:12]} was withdrawn before")
    conn.execute(insert(_gone).values(release=row.release.id, at=at, record=record))
    audit.append(conn, at, actor, "release.withdrawn", row.release.model, row.release.id)
    bump(conn)


def releases(conn: Connection, model: str | None, chip: str | None) -> tuple[ReleaseRow, ...]:
    asked = _select().order_by(_releases.c.released, _releases.c.added)
    if model is not None:
        asked = asked.where(_releases.c.model == model)
    if chip is not None:
        asked = asked.where(_releases.c.chip == chip)
    return tuple(_release(row) for row in conn.execute(asked))


def release(conn: Connection, ref: str) -> ReleaseRow | None:
    """By id, or by a beginning of at least four digits that only one release has."""
    asked = _select().where(_releases.c.id.startswith(ref, autoescape=True)).limit(2)
    rows = [_release(row) for row in conn.execute(asked)] if len(ref) >= 4 else []
    return rows[0] if len(rows) == 1 else None


def add_statement(
    conn: Connection, model: str, said: Statement, record: bytes, *, at: int, actor: str
) -> None:
    _insert_statement(conn, model, said, record, at)
    audit.append(conn, at, actor, "statement.added", model)
    bump(conn)


def statements(conn: Connection, model: str) -> tuple[StatementRow, ...]:
    asked = select(_statements).where(_statements.c.model == model).order_by(_statements.c.id)
    return tuple(
        StatementRow(row.model, _statement(json.loads(row.fields)), row.record, row.at)
        for row in conn.execute(asked)
    )


def stated_models(conn: Connection) -> set[str]:
    return set(conn.execute(select(_statements.c.model).distinct()).scalars())


def support_end_max_seen(conn: Connection, model: str) -> int | None:
    latest = select(func.max(_statements.c.support_end)).where(_statements.c.model == model)
    found: int | None = conn.execute(latest).scalar_one()
    return found


def add_baseline(
    conn: Connection,
    scope: str,
    subject: str,
    cfg_digest: str,
    record: bytes,
    *,
    at: int,
    by: str,
) -> None:
    if scope not in ("device", "model"):
        raise ValueError(f"a baseline is of a device or a model, not of a {scope}")
    conn.execute(
        insert(_baselines).values(
            scope=scope, subject=subject, cfg_digest=cfg_digest, at=at, by=by, record=record
        )
    )
    audit.append(conn, at, by, "baseline.approved", subject, f"{scope} {cfg_digest}")
    bump(conn)


def baselines(conn: Connection, device: str | None, model: str | None) -> tuple[BaselineRow, ...]:
    asked = select(_baselines).order_by(_baselines.c.id)
    of_device = and_(_baselines.c.scope == "device", _baselines.c.subject == device)
    of_model = and_(_baselines.c.scope == "model", _baselines.c.subject == model)
    if device is not None or model is not None:
        asked = asked.where(or_(of_device, of_model))
    return tuple(BaselineRow(**row._mapping) for row in conn.execute(asked))


def _insert_statement(
    conn: Connection, model: str, said: Statement, record: bytes, at: int
) -> None:
    conn.execute(
        insert(_statements).values(
            model=model,
            at=at,
            support_end=said.support_end,
            fields=json.dumps(asdict(said)),
            record=record,
        )
    )


def _select() -> Any:
    return select(
        _releases, _gone.c.at.label("withdrawn"), _gone.c.record.label("withdrawal")
    ).outerjoin(_gone, _gone.c.release == _releases.c.id)


def _release(row: Row[Any]) -> ReleaseRow:
    values = json.loads(row.fields)
    said = values.pop("statement")
    values["boot_key_digests"] = tuple(values["boot_key_digests"])
    made = Release(
        **{name: getattr(row, name) for name in _COLUMNS},
        **values,
        statement=None if said is None else _statement(said),
        withdrawn=row.withdrawn,
    )
    return ReleaseRow(made, row.record, row.withdrawal, row.added)


def _statement(values: dict[str, Any]) -> Statement:
    tupled: dict[str, Any] = {
        name: tuple(v) if isinstance(v, list) else v for name, v in values.items()
    }
    return Statement(**tupled)
