"""`troth waiver`: somebody answers for a shortfall in writing, until a day."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING, Any

import click

from ..core.duties import Party
from ..core.waiver import Scope
from ..fleet.words import iso, plain
from .desk import Instant, as_of_option, db_option
from .output import OK, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..core.waiver import Waiver
    from ..factory.baseline import Approver
    from ..settings import Settings
    from ..store import Store, WaiverRow

_PARTIES = click.Choice([party.value for party in Party])


@click.group("waiver")
@json_option
@db_option
def command() -> None:
    """Let a duty rest for a while: signed, audited, and over by itself.

    A waived duty is judged all the same, and shown as waived. At its end it fails again.
    """


@command.command("add")
@click.argument("duty")
@click.option("--device", help="this unit alone")
@click.option("--model", help="all units of this model")
@click.option("--tag", help="all units with this tag")
@click.option("--site", help="all units at this site")
@click.option("--all", "everyone", is_flag=True, help="every unit")
@click.option("--because", required=True, metavar="TEXT", help="why it may rest")
@click.option("--ticket", required=True, help="where it is followed up")
@click.option("--expires", required=True, type=Instant(), metavar="DATE", help="within a year")
@click.option("--compensating", default="", metavar="TEXT", help="what is done instead")
@click.option("--requested-by", metavar="NAME", help="who asks [default: who runs this]")
@click.option("--approved-by", metavar="NAME", help="who answers for it [default: who runs this]")
@click.option("--party", type=_PARTIES, default="operator", show_default=True, help="for whom")
@json_option
@db_option
def add(duty: str, because: str, ticket: str, expires: int, **said: Any) -> int:
    """Waive DUTY for the units that one selector names."""
    from ..catalogue import bundled
    from ..factory import waiver
    from .maker import open_home

    scope, subject = _selector(said)
    user = getpass.getuser()
    with open_home() as (settings, store):
        wish = waiver.Wish(
            duty=duty,
            scope=scope,
            subject=subject,
            justification=because,
            ticket=ticket,
            requested_by=said["requested_by"] or user,
            party=Party(said["party"]),
            compensating=said["compensating"],
            expires=expires,
        )
        approver = _approver(settings, said["approved_by"] or user)
        made = waiver.approve(
            store, bundled(settings.policy.packs), settings.policy, wish, approver
        )
        _judge_again(settings, store, made, approver.at)
        row = waiver.find(store, made.id)
    return _print([row], approver.at)


@command.command("list")
@click.option("--every", is_flag=True, help="those that have ended too")
@as_of_option
@json_option
@db_option
def list_waivers(every: bool, as_of: int | None) -> int:
    """The waivers in force: which duty, for whom, until when."""
    from .desk import open_desk

    with open_desk() as desk:
        at = desk.now if as_of is None else as_of
        made = [row for row in desk.store.waivers() if row.waiver.created <= at]
    return _print([row for row in made if every or row.waiver.holds(at)], at)


@command.command("show")
@click.argument("ref", metavar="ID")
@json_option
@db_option
def show(ref: str) -> int:
    """One waiver in full, once its signature is found to hold."""
    from ..factory import waiver
    from ..factory.keys import read_public_key
    from ..factory.signed import open_record
    from .maker import open_home

    with open_home() as (settings, store):
        row = waiver.find(store, ref)
        open_record(row.record, "waiver", read_public_key(settings.keys, "baseline"))
    now = int(time.time())
    if wants_json():
        return _print([row], now)
    for name, value in _document(row, now).items():
        print(f"{name:<14}{plain(value, 600) if value else '-'}")
    print(f"{'signature':<14}holds under baseline.pub")
    return OK


@command.command("revoke")
@click.argument("ref", metavar="ID")
@click.option("--because", required=True, metavar="TEXT", help="why it ends now")
@click.option("--by", metavar="NAME", help="who ends it [default: who runs this]")
@json_option
@db_option
def revoke(ref: str, because: str, by: str | None) -> int:
    """End a waiver before its day; it is kept, and so is its end."""
    from ..factory import waiver
    from .maker import open_home

    with open_home() as (settings, store):
        approver = _approver(settings, by or getpass.getuser())
        row = waiver.revoke(store, ref, because, approver)
        _judge_again(settings, store, row.waiver, approver.at)
    return _print([row], approver.at)


def _selector(said: dict[str, Any]) -> tuple[Scope, str]:
    given = [(scope, said[scope]) for scope in list(Scope)[:4] if said[scope]]
    if said["everyone"]:
        given.append((Scope.ALL, ""))
    if len(given) != 1:
        raise click.UsageError("name one of --device, --model, --tag, --site, --all")
    return given[0]


def _approver(settings: Settings, by: str) -> Approver:
    from ..factory.baseline import Approver
    from ..factory.keys import read_private_key, read_public_key

    return Approver(
        by,
        read_private_key(settings.baseline_key),
        read_public_key(settings.keys, "baseline"),
        int(time.time()),
    )


def _judge_again(settings: Settings, store: Store, waiver: Waiver, now: int) -> None:
    """At once, for those that it is for; a running server does the same by itself."""
    from ..catalogue import bundled
    from ..fleet.clock import rejudge
    from ..fleet.context import Context
    from ..fleet.judging import Judge

    context = Context(store, settings.policy)
    everybody = waiver.scope is Scope.ALL
    touched = None if everybody else store.of_scope(waiver.scope, waiver.subject)
    rejudge(context, Judge(bundled(settings.policy.packs)), touched, now=now)


def _print(rows: list[WaiverRow], now: int) -> int:
    if wants_json():
        waivers = [_document(row, now) for row in rows]
        print_json({"schema": "troth/waivers/1", "as_of": iso(now), "waivers": waivers})
        return OK
    print_table(
        ("WAIVER", "DUTY", "FOR", "UNTIL", "STATUS", "TICKET", "APPROVED BY"),
        (
            (
                row.waiver.id[:12],
                row.waiver.duty,
                f"{row.waiver.scope.value} {row.waiver.subject}".strip(),
                iso(row.waiver.end),
                _status(row, now),
                row.waiver.ticket,
                row.waiver.approved_by,
            )
            for row in rows
        ),
    )
    return OK


def _status(row: WaiverRow, now: int) -> str:
    if row.waiver.holds(now):
        return "in force"
    return "expired" if row.end is None else row.end.how


def _document(row: WaiverRow, now: int) -> dict[str, Any]:
    waiver, end = row.waiver, row.end
    return {
        "id": waiver.id,
        "duty": waiver.duty,
        "selector": waiver.scope.value,
        "subject": waiver.subject,
        "justification": waiver.justification,
        "ticket": waiver.ticket,
        "requested_by": waiver.requested_by,
        "approved_by": waiver.approved_by,
        "party": waiver.party.value,
        "compensating": waiver.compensating,
        "created": iso(waiver.created),
        "expires": iso(waiver.expires),
        "status": _status(row, now),
        "ended": iso(end.at) if end else None,
        "ended_by": end.by if end else None,
        "ended_because": end.because if end else None,
    }
