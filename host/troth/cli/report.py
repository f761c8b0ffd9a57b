"""troth report: what the fleet shows of one regime, in a file for somebody else to read."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..trouble import Trouble
from .desk import as_of_option, db_option, open_desk
from .output import OK, json_option, wants_json

_FORMATS = ("json", "csv", "html", "junit", "sarif")


@click.command()
@click.option("--regime", "ident", required=True, help="one regime, e.g. uk-psti; a view too")
@click.option("--model", default="", help="only units of this model")
@click.option("-f", "--format", "form", type=click.Choice(_FORMATS), default="html")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="a file")
@as_of_option
@json_option
@db_option
def command(ident: str, model: str, form: str, output: Path | None, as_of: int | None) -> int:
    """Evidence of breach, or none: by duty, subject and party, with what it rests on."""
    from ..report import FORMATS
    from ..report.findings import report

    with open_desk() as desk:
        regime = next((each for each in desk.catalogue.regimes if each.id == ident), None)
        if regime is None:
            raise Trouble("regime.unknown", f"no regime {ident[:40]!r}", fix="troth regime list")
        moment = desk.now if as_of is None else as_of
        made = report(desk.context, desk.catalogue, regime, as_of=moment, model=model)
    if model and not made.units:
        raise Trouble(
            "device.unknown", f"no {ident} unit of model {model[:60]!r}", fix="troth device list"
        )
    raw = FORMATS["json" if wants_json() else form](made).encode()
    if output is None:
        sys.stdout.buffer.write(raw)
    else:
        output.write_bytes(raw)
        click.echo(f"{output}: {made.words}, {made.scope}", err=True)
    return OK
