"""What feeds brought and what incidents did: both only grow, and each leaves its leaf."""

from __future__ import annotations

import zlib

from sqlalchemy import func, insert, select
from sqlalchemy.engine import Connection

from ..core.feeds import NEVER
from ..core.incident import Incident, Kind, Step
from ..trouble import Trouble
from . import audit, schema
from .registry import bump
from .rows import FeedRow, IncidentRow, StepRow

_feeds, _incidents, _steps = schema.feeds, schema.incidents, schema.incident_steps
_REVIEW = "review"  # a step of the register itself: it was looked through and is complete


def add(conn: Connection, row: FeedRow, document: bytes) -> None:
    values = {name: getattr(row, name) for name in FeedRow._fields if name != "id"}
    conn.execute(insert(_feeds).values(**values, document=zlib.compress(document)))
    detail = f"{row.kind} {row.source} {row.items} of {row.at}"
    audit.append(conn, row.added, row.by, "feed.added", row.subject or row.source, detail)
    bump(conn)


def current(conn: Connection) -> tuple[FeedRow, ...]:
    """The last of each kind, source and subject."""
    last = select(func.max(_feeds.c.id)).group_by(_feeds.c.kind, _feeds.c.source, _feeds.c.subject)
    names = [_feeds.c[name] for name in FeedRow._fields]
    asked = select(*names).where(_feeds.c.id.in_(last)).order_by(_feeds.c.kind, _feeds.c.id)
    return tuple(FeedRow(**row._mapping) for row in conn.execute(asked))


def every(conn: Connection) -> tuple[FeedRow, ...]:
    """All that were ever brought, oldest first."""
    asked = select(*(_feeds.c[name] for name in FeedRow._fields)).order_by(_feeds.c.id)
    return tuple(FeedRow(**row._mapping) for row in conn.execute(asked))


def document(conn: Connection, ident: int) -> bytes:
    asked = select(_feeds.c.document).where(_feeds.c.id == ident)
    return zlib.decompress(conn.execute(asked).scalar_one())


def open_incident(conn: Connection, row: IncidentRow) -> None:
    if one(conn, row.incident.id) is not None:
        raise Trouble(
            "incident.duplicate",
            f"there is an incident {row.incident.id} already",
            fix="troth incident list, or another --id",
        )
    said = row.incident
    conn.execute(
        insert(_incidents).values(
            id=said.id,
            kind=said.kind.value,
            title=said.title,
            models="\n".join(said.models),
            flaw=said.flaw,
            aware=said.aware,
            added=row.added,
            by=row.by,
        )
    )
    detail = f"{said.kind} aware {said.aware} {said.title}"
    audit.append(conn, row.added, row.by, "incident.opened", said.id, detail)
    bump(conn)


def take_step(conn: Connection, row: StepRow) -> None:
    """A step is taken once."""
    taken = select(_steps.c.id).where(_steps.c.incident == row.incident, _steps.c.step == row.step)
    if row.step != _REVIEW and conn.execute(taken).first() is not None:
        raise Trouble(
            "incident.step",
            f"the {row.step} of {row.incident} was recorded before",
            fix=f"troth incident show {row.incident}",
        )
    conn.execute(insert(_steps).values(**row._asdict()))
    what = f"incident.{row.step}"
    audit.append(conn, row.added, row.by, what, row.incident, f"{row.at} {row.ref}".strip())
    bump(conn)


def incidents(conn: Connection, at: int = NEVER) -> tuple[IncidentRow, ...]:
    """All that were written down by an instant, in the order in which they became known."""
    known = select(_incidents).where(_incidents.c.added <= at)
    rows = conn.execute(known.order_by(_incidents.c.aware, _incidents.c.id)).all()
    done = select(_steps).where(_steps.c.step != _REVIEW, _steps.c.added <= at)
    taken: dict[str, list[tuple[Step, int]]] = {}
    for step in conn.execute(done.order_by(_steps.c.id)):
        taken.setdefault(step.incident, []).append((Step(step.step), step.at))
    return tuple(
        IncidentRow(
            Incident(
                row.id,
                Kind(row.kind),
                row.title,
                tuple(row.models.split("\n")) if row.models else (),
                row.aware,
                tuple(taken.get(row.id, ())),
                row.flaw,
            ),
            row.added,
            row.by,
        )
        for row in rows
    )


def one(conn: Connection, ident: str) -> IncidentRow | None:
    return next((row for row in incidents(conn) if row.incident.id == ident), None)


def steps(conn: Connection, incident: str) -> tuple[StepRow, ...]:
    """The steps of one incident in the order in which they were recorded."""
    names = [_steps.c[name] for name in StepRow._fields]
    asked = select(*names).where(_steps.c.incident == incident).order_by(_steps.c.id)
    return tuple(StepRow(**row._mapping) for row in conn.execute(asked))


def register_at(conn: Connection, at: int = NEVER) -> int | None:
    """When the register was last touched or found complete; None: nobody kept one by then."""
    found = [
        conn.execute(select(func.max(table.c.added)).where(table.c.added <= at)).scalar()
        for table in (_incidents, _steps)
    ]
    return max((at for at in found if at is not None), default=None)
