"""troth forecast: when each device begins to fail by the clock alone, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..fleet.words import OUTCOME_GLYPH, count, iso
from ..trouble import Trouble
from .desk import Instant, certificates, check_regime, db_option, open_desk
from .output import NON_COMPLIANT, OK, json_option, print_json, wants_json
from .tables import print_table

if TYPE_CHECKING:
    from ..fleet.forecast import Forecast, Turn


@click.command()
@click.argument("only", metavar="[DEVICE|MODEL]", required=False, default="")
@click.option("--until", required=True, type=Instant(), metavar="DATE", help="how far to look")
@click.option("--regime", help="the duties of this regime, whether or not they bind yet")
@click.option("--heard", is_flag=True, help="as if each device went on reporting what it says now")
@json_option
@db_option
def command(only: str, until: int, regime: str | None, heard: bool) -> int:
    """What the clock alone will change until DATE: silence, waivers, support, laws.

    Ends with 3 when something that binds will begin to fail, else with 0.
    """
    from ..fleet.forecast import forecast

    with open_desk() as desk:
        check_regime(desk.catalogue, regime)
        if until <= desk.now:
            raise Trouble(
                "usage.until", f"{iso(until)} is past", fix="troth check --as-of tells the past"
            )
        found = forecast(
            desk.store,
            desk.policy,
            desk.catalogue,
            now=desk.now,
            until=until,
            regime=regime,
            only=only,
            heard=heard,
        )
    if only and not found.units:
        raise Trouble(
            "device.unknown", f"no device or model {only[:60]!r}", fix="troth device list"
        )
    code = NON_COMPLIANT if found.failing else OK
    ending = certificates(until)
    if wants_json():
        said = [{"file": path, "ends": iso(at)} for path, at in ending]
        print_json(_document(found, code) | {"certificates": said})
        return code
    print_table(
        ("WHEN", "DEVICE", "DUTY", "FROM", "TO", "STATE", "CAUSE", "WHY"),
        (_row(turn) for turn in found.turns),
    )
    print()
    silent = f"; {count(len(found.silent), 'device')} never reported" if found.silent else ""
    print(f"{count(len(found.turns), 'turn')} until {iso(until)}", end="")
    print(f" over {count(found.units, 'device')}{silent}")
    for path, at in ending:
        print(f"{iso(at)}  {path} ends: nobody can report from then on, see troth doctor")
    return code


def _row(turn: Turn) -> tuple[object, ...]:
    return (
        iso(turn.at),
        turn.device.name,
        turn.duty.id,
        f"{OUTCOME_GLYPH[turn.before]} {turn.before.value}",
        f"{OUTCOME_GLYPH[turn.after]} {turn.after.value}",
        turn.state.value,
        turn.cause.value,
        turn.why,
    )


def _document(found: Forecast, exit_code: int) -> dict[str, Any]:
    return {
        "schema": "troth/forecast/1",
        "made": iso(found.made),
        "until": iso(found.until),
        "exit": exit_code,
        "devices": found.units,
        "never_reported": list(found.silent),
        "turns": [
            {
                "at": iso(turn.at),
                "device": turn.device.id,
                "name": turn.device.name,
                "duty": turn.duty.id,
                "binds": turn.binds,
                "from": turn.before.value,
                "to": turn.after.value,
                "state_from": turn.state_before.value,
                "state": turn.state.value,
                "cause": turn.cause.value,
                "why": turn.why,
                "because": turn.said.because,
                "owed_by": turn.said.owed_by.value if turn.said.owed_by else None,
            }
            for turn in found.turns
        ],
    }
