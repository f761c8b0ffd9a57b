"""`troth baseline`: somebody approves the settings that a device or a model runs, and signs it."""

from __future__ import annotations

import getpass
import time

import click

from .output import json_option, print_json, wants_json


@click.group("baseline")
@json_option
def command() -> None:
    """Approve the settings that a device or model runs."""


@command.command("approve")
@click.argument("device", required=False)
@click.option("--model", help="what all devices of this model last reported")
@click.option("--by", help="who approves [default: the user who runs this]")
@json_option
def approve(device: str | None, model: str | None, by: str | None) -> None:
    """Approve the settings that DEVICE last reported."""
    from ..factory import baseline
    from ..factory.keys import read_private_key, read_public_key
    from .maker import open_home

    if (device is None) == (model is None):
        raise click.UsageError("name a DEVICE, or --model M")
    with open_home() as (settings, store):
        approver = baseline.Approver(
            by or getpass.getuser(),
            read_private_key(settings.baseline_key),
            read_public_key(settings.keys, "baseline"),
            int(time.time()),
        )
        if device is not None:
            done = baseline.approve_device(store, device, approver)
        else:
            done = baseline.approve_model(store, str(model), approver)
    if wants_json():
        rows = [
            {"scope": a.scope, "subject": a.subject, "cfg_digest": a.cfg_digest, "added": a.added}
            for a in done
        ]
        print_json({"schema": "troth/baseline/1", "approved": rows})
        return
    for each in done:
        words = "approved" if each.added else "was approved before"
        click.echo(f"{each.scope} {each.subject}  {each.cfg_digest[:16]}  {words}")
