"""`troth declaration`: what the maker declares of a model, written, signed, verified and kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .maker import as_time, open_home, read_file
from .output import OK, UNKNOWN, json_option, print_json, put_file, wants_json

if TYPE_CHECKING:
    from ..core.reference import Statement
    from ..factory.declaration import Declaration

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("declaration")
@json_option
def command() -> None:
    """What only the maker can say of a model: write, sign, verify, add and list it.

    Duties that no machine can decide are answered by it. What is expired, or for another model or
    version, counts as not said.
    """


@command.command("new")
@click.argument("file", type=_FILE)
@click.option("--model", required=True, help="model designation, as in troth.json")
@json_option
def new(file: Path, model: str) -> None:
    """Write FILE, a declaration to fill: every key is there, commented out and explained."""
    from ..factory.declaration import begin

    begin(file, model)
    if wants_json():
        print_json({"schema": "troth/new/1", "id": model, "file": str(file)})
        return
    click.echo(file)
    click.echo(f"next: edit it, then troth declaration sign {file}", err=True)


@command.command("sign")
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="the signed record [default: FILE with .cbor]")
@click.option("--key", type=_FILE, help="the maker's key [default: certs/dev/release.key]")
@json_option
def sign(file: Path, output: Path | None, key: Path | None) -> None:
    """Check FILE word by word and sign it with the maker's key."""
    from ..factory import declaration
    from ..factory.keys import read_private_key
    from ..factory.statement import read_statement

    said = read_statement(file)
    secret = read_private_key(key or _keys() / "release.key")
    record = declaration.sign(said, secret, at=int(time.time()))
    target = output or file.with_suffix(".cbor")
    put_file(target, record)
    _tell(declaration.read(record, secret.public_key()), {"file": str(target)})


@command.command("verify")
@click.argument("file", type=_FILE)
@click.option("--key", type=_FILE, help="the maker's public key [default: certs/dev/release.pub]")
@json_option
def verify(file: Path, key: Path | None) -> int:
    """Check a signed declaration offline; no store is asked.

    Ends with 5 when it is genuine but expired or still to come.
    """
    from ..factory import declaration
    from ..factory.keys import read_public_pem

    trusted = read_public_pem(key or _keys() / "release.pub")
    found = declaration.read(read_file(file), trusted)
    _tell(found, {})
    return OK if found.status(int(time.time())) == "in force" else UNKNOWN


@command.command("add")
@click.argument("file", type=_FILE)
@json_option
def add(file: Path) -> None:
    """Keep a signed declaration; it takes the place of what was stated before for its models."""
    from ..factory import declaration
    from ..factory.keys import read_public_key
    from .again import judge_again

    now = int(time.time())
    with open_home() as (settings, store):
        trusted = read_public_key(settings.keys, "release")
        found = declaration.keep(store, read_file(file), trusted, at=now)
        judge_again(settings, store, now, *found.models)
    _tell(found, {})


@command.command("list")
@click.option("--model", help="of this model alone")
@json_option
def list_(model: str | None) -> None:
    """All that was ever stated, oldest first, by releases too; the last one that fits counts."""
    from .tables import print_table

    with open_home() as (_, store):
        names = sorted({row.release.model for row in store.releases()} | store.stated_models())
        rows = [row for name in names if model in (None, name) for row in store.statements(name)]
    if wants_json():
        said = [
            {"model": row.model, "added": as_time(row.at), "said": _words(row.statement)}
            for row in rows
        ]
        print_json({"schema": "troth/declarations/1", "declarations": said})
        return
    print_table(
        ("MODEL", "ADDED", "VERSIONS", "FROM", "UNTIL", "SAYS"),
        (
            (
                row.model,
                as_time(row.at),
                row.statement.versions or "all",
                _when(row.statement.valid_from),
                _when(row.statement.valid_until),
                f"{len(_words(row.statement))} keys",
            )
            for row in rows
        ),
    )


def _when(at: int | None) -> str:
    return "-" if at is None else as_time(at)[:10]


def _keys() -> Path:
    from ..settings import find_home

    root = click.get_current_context().find_root().obj or {}
    return find_home(root.get("home")) / "certs" / "dev"


def _words(statement: Statement) -> dict[str, Any]:
    from ..factory.statement import to_words

    return to_words(statement)


def _tell(found: Declaration, extra: dict[str, Any]) -> None:
    status = found.status(int(time.time()))
    said = _words(found.statement)
    if wants_json():
        head = {"id": found.id, "signed": as_time(found.signed), "status": status}
        print_json({"schema": "troth/declaration/1", **head, "said": said, **extra})
        return
    click.echo(f"{'id':<28}{found.id}")
    click.echo(f"{'signed':<28}{as_time(found.signed)}, {status}")
    for name, value in {**said, **extra}.items():
        shown = ", ".join(value) or "none" if isinstance(value, list) else value
        click.echo(f"{name:<28}{shown}")
