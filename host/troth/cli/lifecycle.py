"""troth device suspend, resume, retire, modified, revoke-key: what became of it, audited."""

from __future__ import annotations

import click

from ..fleet.words import iso, plain
from .desk import db_option, open_desk
from .output import OK, json_option, print_json, wants_json

_why = click.option("--why", required=True, metavar="TEXT", help="the reason, kept in the audit")


def _move(ref: str, step: str, why: str) -> int:
    from ..fleet.lifecycle import move

    with open_desk(turn=False) as desk:
        moved = move(desk.store, ref, step, why=why, at=desk.now)
    if wants_json():
        print_json(
            {
                "schema": "troth/lifecycle/1",
                "device": moved.row.id,
                "name": moved.row.name,
                "before": moved.before.value,
                "after": moved.row.lifecycle.value,
                "at": iso(desk.now),
            }
        )
    else:
        print(f"{plain(moved.row.name)}  {moved.before.value} -> {moved.row.lifecycle.value}")
    return OK


def _step(name: str, help: str) -> click.Command:
    """The verb of one step."""

    @click.command(name, help=help)
    @click.argument("ref", metavar="DEVICE")
    @_why
    @json_option
    @db_option
    def verb(ref: str, why: str) -> int:
        return _move(ref, name, why)

    return verb


suspend = _step(
    "suspend", "Note that a device is set aside; it is judged and counted all the same."
)
resume = _step("resume", "Put a suspended device back into service.")
retire = _step("retire", "Take a device out of service for good: `troth check` counts it no more.")


@click.command()
@click.argument("ref", metavar="DEVICE")
@click.option("--on", "day", required=True, metavar="DATE", help="the day of the modification")
@_why
@json_option
@db_option
def modified(ref: str, day: str, why: str) -> int:
    """Note a substantial modification: newer law then reaches an older unit (CRA Art. 69(2))."""
    from ..fleet.lifecycle import modify
    from .maker import parse_day

    with open_desk() as desk:
        row = modify(desk.store, ref, on=parse_day(day), why=why, at=desk.now)
    if wants_json():
        said = {"device": row.id, "name": row.name, "modified": iso(row.modified or 0)}
        print_json({"schema": "troth/modified/1", **said})
    else:
        print(f"{plain(row.name)}  substantially modified on {day}")
    return OK


@click.command("revoke-key")
@click.argument("ref", metavar="DEVICE")
@click.option("--why", default="", metavar="TEXT", help="the reason, kept in the audit")
@json_option
@db_option
def revoke_key(ref: str, why: str) -> int:
    """Believe this device's key no more; it cannot be undone, only a new key can be enrolled."""
    from ..fleet import lifecycle

    with open_desk(turn=False) as desk:
        row, kid = lifecycle.revoke_key(desk.store, ref, why=why, at=desk.now)
    if wants_json():
        print_json(
            {
                "schema": "troth/revoked/1",
                "device": row.id,
                "name": row.name,
                "key": kid.hex(),
                "at": iso(desk.now),
            }
        )
    else:
        print(f"{plain(row.name)}  key {kid.hex()} revoked")
    return OK
