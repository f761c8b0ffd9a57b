"""`troth incident`: exploited flaws and severe incidents, and the reports that the law asks."""

from __future__ import annotations

import getpass
import secrets
import time
from typing import TYPE_CHECKING, Any

import click

from ..core.incident import REPORTS, Filing, Incident, Kind, Step, filings, is_open, owed
from ..fleet.words import ago, iso
from ..trouble import Trouble
from .desk import Instant, as_of_option, db_option
from .maker import open_home
from .output import NON_COMPLIANT, OK, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..store import IncidentRow, StepRow, Store

_at = click.option("--at", type=Instant(), metavar="TIME", help="when [default: now]")


@click.group("incident")
@json_option
@db_option
def command() -> None:
    """The register of exploited flaws and severe incidents, with the clocks of CRA Article 14.

    24 hours for the early warning, 72 for the notification, both from when you are aware; the final
    report 14 days after a fix is out (exploited), or a month after the notification (severe).
    """


@command.command("open")
@click.argument("title")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), required=True)
@click.option("--model", "models", multiple=True, help="again for each [default: all models]")
@click.option("--aware", type=Instant(), metavar="TIME", help="since when you know [default: now]")
@click.option("--flaw", default="", metavar="CVE", help="its number, if it has one")
@click.option("--id", "ident", help="a name of your own")
@json_option
@db_option
def open_(
    title: str, kind: str, models: tuple[str, ...], aware: int | None, flaw: str, ident: str | None
) -> int:
    """Write down what happened: the clocks run from --aware."""
    from ..store import IncidentRow
    from .again import judge_again

    now = int(time.time())
    known = now if aware is None else aware
    _check_text(title, "title")
    _check_instant(known, now)
    made = Incident(
        ident or f"i-{secrets.token_hex(4)}", Kind(kind), title.strip(), models, known, (), flaw
    )
    _check_text(made.id, "id")
    with open_home() as (settings, store):
        store.open_incident(IncidentRow(made, now, getpass.getuser()))
        judge_again(settings, store, now)
        return _tell(store, [_find(store, made.id)], now)


@command.command("report")
@click.argument("ident", metavar="ID")
@click.option("--step", type=click.Choice([step.value for step in REPORTS]), required=True)
@_at
@click.option("--ref", default="", help="number that the authority gave it")
@json_option
@db_option
def report(ident: str, step: str, at: int | None, ref: str) -> int:
    """Write down that a report was made; late is late, and stays so."""
    return _step(ident, Step(step), at, ref)


@command.command("fix")
@click.argument("ident", metavar="ID")
@_at
@click.option("--ref", default="", help="the release or measure")
@json_option
@db_option
def fix(ident: str, at: int | None, ref: str) -> int:
    """Write down that a fix or mitigation is available: the final report is due 14 days later."""
    return _step(ident, Step.FIX, at, ref)


@command.command("close")
@click.argument("ident", metavar="ID")
@click.option("--because", required=True, metavar="TEXT", help="why nothing more is to do")
@click.option("--mistaken", is_flag=True, help="it was no incident: nothing more is owed")
@_at
@json_option
@db_option
def close(ident: str, because: str, mistaken: bool, at: int | None) -> int:
    """End an incident whose reports are all made, or that was none after all."""
    return _step(ident, Step.MISTAKEN if mistaken else Step.CLOSED, at, because)


@command.command("list")
@click.option("--every", is_flag=True, help="closed ones too")
@as_of_option
@json_option
@db_option
def list_(every: bool, as_of: int | None) -> int:
    """The register: what is open, what is due when, what came late. Ends with 3 if any is late."""
    at = int(time.time()) if as_of is None else as_of
    with open_home() as (_, store):
        rows = [row for row in store.incidents(at) if every or is_open(row.incident)]
        return _tell(store, rows, at, register=True)


@command.command("show")
@click.argument("ident", metavar="ID")
@json_option
@db_option
def show(ident: str) -> int:
    """One incident with its deadlines and steps."""
    now = int(time.time())
    with open_home() as (_, store):
        return _tell(store, [_find(store, ident)], now)


@command.command("review")
@json_option
@db_option
def review() -> int:
    """Say that the register is complete as of now, also when it is empty."""
    from ..store import StepRow
    from .again import judge_again

    now = int(time.time())
    with open_home() as (settings, store):
        store.take_step(StepRow("", "review", now, "", now, getpass.getuser()))
        judge_again(settings, store, now)
        return _tell(store, list(store.incidents()), now, register=True)


def _step(ident: str, step: Step, at: int | None, ref: str) -> int:
    from ..store import StepRow
    from .again import judge_again

    now = int(time.time())
    when = now if at is None else at
    with open_home() as (settings, store):
        row = _find(store, ident)
        _check_instant(when, now)
        _check_order(row.incident, step, when)
        store.take_step(StepRow(ident, step.value, when, ref, now, getpass.getuser()))
        judge_again(settings, store, now)
        return _tell(store, [_find(store, ident)], now)


def _check_text(text: str, name: str) -> None:
    if not 1 <= len(text.strip()) <= 200 or not text.isprintable():
        raise Trouble(
            "incident.text",
            f"the {name} of an incident is one line of 1 to 200 characters",
            fix="say it shorter",
        )


def _check_instant(at: int, now: int) -> None:
    if at > now + 300:
        raise Trouble(
            "incident.instant", f"{iso(at)} is still to come", fix="say when it really was"
        )


def _check_order(incident: Incident, step: Step, at: int) -> None:
    if not is_open(incident):
        raise Trouble(
            "incident.closed",
            f"{incident.id} was closed before",
            fix="troth incident open, for what came up since",
        )
    if at < incident.aware:
        raise Trouble(
            "incident.instant",
            f"{iso(at)} lies before anybody was aware ({iso(incident.aware)})",
            fix="say when it really was",
        )
    left = owed(incident)
    if step is Step.CLOSED and left:
        raise Trouble(
            "incident.owed",
            f"{incident.id} cannot be closed: not made yet: {', '.join(left)}",
            fix=f"troth incident report {incident.id} --step {left[0]}; "
            "or --mistaken if it was no incident after all",
        )


def _find(store: Store, ident: str) -> IncidentRow:
    found = next((row for row in store.incidents() if row.incident.id == ident), None)
    if found is None:
        raise Trouble(
            "incident.unknown", f"no incident {ident[:60]!r}", fix="troth incident list --every"
        )
    return found


def _tell(store: Store, rows: list[IncidentRow], now: int, *, register: bool = False) -> int:
    late = any(_is_late(each, now) for row in rows for each in filings(row.incident))
    code = NON_COMPLIANT if late and register else OK
    if wants_json():
        said = [_document(row, _steps(store, row, now), now) for row in rows]
        complete = store.register_at(now)
        head = {"as_of": iso(now), "complete": iso(complete) if complete is not None else None}
        print_json({"schema": "troth/incidents/1", **head, "incidents": said})
        return code
    print_table(
        ("INCIDENT", "KIND", "MODELS", "AWARE", "WARNING", "NOTICE", "FINAL", "TITLE"),
        (_line(row.incident, now) for row in rows),
    )
    return code


def _steps(store: Store, row: IncidentRow, at: int) -> list[StepRow]:
    return [step for step in store.incident_steps(row.incident.id) if step.added <= at]


def _line(incident: Incident, now: int) -> tuple[object, ...]:
    found = {each.step: _word(each, now) for each in filings(incident)}
    waits = "after a fix" if incident.kind is Kind.EXPLOITED else "after the notice"
    return (
        incident.id,
        incident.kind.value,
        " ".join(incident.models) or "all",
        iso(incident.aware),
        *(found.get(step, waits if found else "not owed") for step in REPORTS),
        incident.title,
    )


def _word(filing: Filing, now: int) -> str:
    if filing.made is not None:
        return "✘ late" if filing.is_late() else "● made"
    overdue = "✘ overdue since" if now >= filing.due else "due"
    return f"{overdue} {iso(filing.due)} ({ago(filing.due, now)})"


def _is_late(filing: Filing, now: int) -> bool:
    return filing.is_late() or (filing.made is None and now >= filing.due)


def _document(row: IncidentRow, steps: list[StepRow], now: int) -> dict[str, Any]:
    said = row.incident
    return {
        "id": said.id,
        "kind": said.kind.value,
        "title": said.title,
        "models": list(said.models),
        "flaw": said.flaw or None,
        "aware": iso(said.aware),
        "reports": [
            {
                "step": each.step.value,
                "due": iso(each.due),
                "made": iso(each.made) if each.made is not None else None,
                "late": _is_late(each, now),
            }
            for each in filings(said)
        ],
        "steps": [
            {"step": each.step, "at": iso(each.at), "ref": each.ref, "by": each.by}
            for each in steps
        ],
    }
