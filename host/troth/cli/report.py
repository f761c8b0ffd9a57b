"""troth report: what the fleet shows of one regime, in a file for somebody else to read."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..trouble import Trouble
from . import seals
from .desk import as_of_option, db_option, open_desk
from .output import OK, json_option, print_json, put_pieces, wants_json

if TYPE_CHECKING:
    from ..report.report import Report
    from .desk import Desk

_FORMATS = (
    *("html", "pdf", "csv", "json", "junit", "sarif"),
    *("oscal-ar", "oscal-catalog", "oscal-mapping", "cyclonedx", "csaf", "brief"),
)
_FILE = click.Path(dir_okay=False, path_type=Path)
_THERE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@click.option("--regime", "ident", help="one regime, e.g. uk-psti; a view too")
@click.option("--model", default="", help="only units of this model")
@click.option("-f", "--format", "form", type=click.Choice(_FORMATS), default="html")
@click.option("--brief", "form", flag_value="brief", help="the answer on one page, as text")
@click.option("-o", "--output", type=_FILE, help="a file")
@click.option("--sign", "key", type=_THERE, metavar="KEY", help="sign it: FILE.sig beside FILE")
@as_of_option
@json_option
@db_option
@click.pass_context
def command(
    ctx: click.Context,
    ident: str | None,
    model: str,
    form: str,
    output: Path | None,
    key: Path | None,
    as_of: int | None,
) -> int:
    """Evidence of breach, or none: by duty, subject and party, with what it rests on."""
    if ctx.invoked_subcommand is not None:
        return OK
    if ident is None or (key and output is None):
        raise click.UsageError("--sign needs -o FILE" if ident else "--regime ID is needed")
    from ..report import pieces

    with open_desk() as desk:
        made = _made(desk, ident, model, as_of)
        raw = pieces(made, "json" if wants_json() else form)
        if output is None:
            sys.stdout.buffer.writelines(raw)
            return OK
        digest = put_pieces(output, raw)
    click.echo(f"{output}: {made.words}, {made.scope}", err=True)
    if key is not None:
        seals.seal(output, digest, _about(made), key)
    return OK


@command.command()
@click.argument("file", type=_THERE)
@click.option("--key", type=_THERE, metavar="FILE.pub", help="who may have signed it")
@json_option
def verify(file: Path, key: Path | None) -> int:
    """Is a report as it was signed? Its signature lies beside it as FILE.sig.

    Without --key it must be signed by this home's baseline key. Ends with 4 when it was altered.
    """
    with file.open("rb") as raw:
        digest = hashlib.file_digest(raw, "sha256").hexdigest()
    said = seals.check(file, digest, key)
    if wants_json():
        print_json({"schema": "troth/report-verified/1", **said})
    else:
        print(f"{file}: as signed; {said['regime']}, {said['says']}, as of {said['as_of']}")
    return OK


def _made(desk: Desk, ident: str, model: str, as_of: int | None) -> Report:
    from ..report.report import report

    regime = next((each for each in desk.catalogue.regimes if each.id == ident), None)
    if regime is None:
        raise Trouble("regime.unknown", f"no regime {ident[:40]!r}", fix="troth regime list")
    moment = desk.now if as_of is None else as_of
    made = report(desk.context, desk.catalogue, regime, as_of=moment, model=model)
    if model and not made.units:
        raise Trouble(
            "device.unknown", f"no {ident} unit of model {model[:60]!r}", fix="troth device list"
        )
    return made


def _about(made: Report) -> dict[str, str]:
    """What the signature says of the report, beside its digest."""
    return {
        "regime": made.regime.id,
        "says": made.words,
        "as_of": made.as_of,
        "engine": made.engine,
        "catalogue": made.catalogue,
        "regime_digest": made.regime_digest,
        "references": made.references,
    }
