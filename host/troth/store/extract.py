"""All that the store knows of one device, row by row: to be taken elsewhere and judged again.

Not taken: what is about others, answers (they are what is judged again) and the audit chain. A
key's secret half was never here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, or_, select
from sqlalchemy.engine import Connection

from . import schema

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
_LEFT = {
    *("meta", "audit", "judged", "rejections"),
    *("verdicts", "sheets", "holdings", "duty_sets", "states"),
}


def take(conn: Connection, device: str, model: str | None) -> Rows:
    """Table by table, each in the order of its key."""
    found = {}
    for table in schema.metadata.sorted_tables:
        if table.name not in _LEFT:
            asked = select(table).where(*_of(table, device, model))
            rows = conn.execute(asked.order_by(*table.primary_key.columns))
            found[table.name] = [dict(row._mapping) for row in rows]
    return found


def put(conn: Connection, rows: Rows) -> None:
    """Into a store that is empty."""
    for table in schema.metadata.sorted_tables:
        if rows.get(table.name):
            conn.execute(insert(table), [dict(row) for row in rows[table.name]])


def _of(table: Any, device: str, model: str | None) -> list[Any]:
    """Which rows speak of this device, its model, or of everybody."""
    columns, reports, releases = table.c, schema.evidence, schema.releases
    mine = select(releases.c.id).where(releases.c.model == model)
    sent = select(reports).where(reports.c.device == device)
    match table.name:
        case "devices":
            return [columns.id == device]
        case "releases":
            return [columns.model == model]
        case "statements":
            return []  # what a maker owes for one model, he owes for all that he states
        case "withdrawals":
            return [columns.release.in_(mine)]
        case "baselines" | "waivers":
            ours = or_(columns.scope != "device", columns.subject == device)
            return [ours, or_(columns.scope != "model", columns.subject == model)]
        case "waiver_ends":
            held = select(schema.waivers.c.id).where(*_of(schema.waivers, device, model))
            return [columns.waiver.in_(held)]
        case "claims_sets":
            return [columns.digest.in_(sent.with_only_columns(reports.c.set_digest))]
        case "challenges":
            return [columns.session.in_(sent.with_only_columns(reports.c.session))]
        case "feeds":
            everybodys = or_(columns.subject == "", columns.kind == "contact")
            return [or_(everybodys, columns.subject == model, columns.subject.in_(mine))]
    return [columns.device == device] if "device" in columns else []
