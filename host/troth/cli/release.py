"""`troth release`: signed records of what the maker built, and their withdrawal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import shipping
from .maker import as_time, open_home, parse_time, read_file
from .output import json_option, print_json, put_file, wants_json

if TYPE_CHECKING:
    from ..core.reference import Release
    from ..settings import Settings
    from ..store import Store

_IMAGE = b"\xe9"  # the first byte of an app image
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("release")
@json_option
def command() -> None:
    """Check, add, list, show and withdraw signed releases."""


command.add_command(shipping.check)
command.add_command(shipping.sbom)


@command.command("add")
@click.argument("app", type=_FILE)
@click.option("--files", type=click.Path(file_okay=False, path_type=Path), help="product's files")
@click.option("--version", "version", metavar="V", help="the release's version")
@click.option("--statement", type=_FILE, help="the maker's statement, TOML")
@click.option("--model", help="model designation [default: hwmodel of troth.json]")
@click.option("--released", metavar="TIME", help="RFC 3339 [default: now]")
@click.option(
    "--anti-rollback/--no-anti-rollback",
    default=None,
    help="do fuses hold older versions back? [default: as the image's secure version says]",
)
@json_option
def add(
    app: Path,
    files: Path | None,
    version: str | None,
    statement: Path | None,
    model: str | None,
    released: str | None,
    anti_rollback: bool | None,
) -> None:
    """Sign and keep a release of the image APP; or keep APP, a record that was signed elsewhere."""
    from ..factory.keys import read_public_key
    from ..factory.shelf import keep

    raw = read_file(app)
    with open_home() as (settings, store):
        hits: list[dict[str, Any]] = []
        if raw[:1] == _IMAGE or files or version:
            if files is None or version is None:
                raise click.UsageError("an image needs --files DIR and --version V")
            record, hits = _sign(
                settings,
                store,
                raw,
                files,
                statement,
                version=version,
                released=parse_time(released) if released else None,
                model=model,
                anti_rollback=anti_rollback,
            )
        else:
            record = raw
        trusted = read_public_key(settings.keys, "release")
        release, added = keep(store, record, trusted, at=int(time.time()))
    _tell(release, added=added, hits=hits)


@command.command("list")
@click.option("--model", help="of this model alone")
@json_option
def list_(model: str | None) -> None:
    """All releases, oldest first."""
    with open_home() as (_, store):
        releases = [row.release for row in store.releases(model)]
    if wants_json():
        print_json({"schema": "troth/releases/1", "releases": [_document(r) for r in releases]})
        return
    for release in releases:
        withdrawn = f"withdrawn {as_time(release.withdrawn)}" if release.withdrawn else ""
        click.echo(
            f"{release.id[:12]}  {release.model:<16} {release.chip:<8} {release.version:<12}"
            f" {as_time(release.released)}  {withdrawn}".rstrip()
        )


@command.command("show")
@click.argument("ref")
@click.option("--record", type=_FILE, help="also write the signed record to this file")
@json_option
def show(ref: str, record: Path | None) -> None:
    """One release by its id, the beginning of it, or MODEL@VERSION."""
    from ..factory.keys import read_public_key
    from ..factory.release import read_release
    from ..factory.shelf import find

    with open_home() as (settings, store):
        row = find(store, ref)
        # what is shown is what the signature holds for, not what a database says
        read_release(row.record, read_public_key(settings.keys, "release"))
    if record:
        put_file(record, row.record)
    _tell(row.release, added=None, hits=[])


@command.command("withdraw")
@click.argument("ref")
@click.option("--reason", default="", help="why, for those who read the record")
@click.option("--at", "at", metavar="TIME", help="RFC 3339 [default: now]")
@json_option
def withdraw(ref: str, reason: str, at: str | None) -> None:
    """Take a release back, signed: no unit should run it from now on."""
    from ..factory import shelf
    from ..factory.keys import read_private_key, read_public_key

    with open_home() as (settings, store):
        row = shelf.find(store, ref)
        if row.release.withdrawn is not None:
            click.echo("nothing to do: it was withdrawn before", err=True)
        else:
            row = shelf.withdraw(
                store,
                row,
                reason,
                read_private_key(settings.release_key),
                read_public_key(settings.keys, "release"),
                at=parse_time(at) if at else int(time.time()),
            )
    _tell(row.release, added=None, hits=[])


def _sign(
    settings: Settings,
    store: Store,
    image: bytes,
    files: Path,
    statement: Path | None,
    **said: Any,
) -> tuple[bytes, list[dict[str, Any]]]:
    """A signed record of this build, and where the scan found literal secrets."""
    from ..factory.keys import read_private_key
    from ..factory.manifest import read_tree
    from ..factory.release import draft_release
    from ..factory.shelf import sign_again
    from ..factory.statement import read_statement

    key = read_private_key(settings.release_key)
    dated = said.pop("released")
    draft = draft_release(
        image,
        read_tree(files),
        released=dated or int(time.time()),
        statement=read_statement(statement) if statement else None,
        **said,
    )
    if draft.image_version not in ("", said["version"]):
        click.echo(f"note: the image calls itself {draft.image_version}", err=True)
    if draft.files_version != said["version"]:
        text = f"note: troth.json says {draft.files_version}, and so will every unit"
        click.echo(text, err=True)
    for hit in draft.hits:
        click.echo(f"note: literal secret ({hit.kind}) in {hit.path} line {hit.line}", err=True)
    hits = [{"path": hit.path, "line": hit.line, "kind": hit.kind} for hit in draft.hits]
    return (draft.sign(key) if dated else sign_again(store, draft, key)), hits


def _tell(release: Release, *, added: bool | None, hits: list[dict[str, Any]]) -> None:
    said = _document(release)
    if wants_json():
        extra = {} if added is None else {"added": added, "secrets": hits}
        print_json({"schema": "troth/release/1", **said, **extra})
        return
    if added is False:
        click.echo("nothing to do: this very record is there already", err=True)
    for name, value in said.items():
        if isinstance(value, dict):
            value = "; ".join(f"{key} {_plain(item)}" for key, item in value.items())
        if isinstance(value, list):
            value = _plain(value) or "none"
        click.echo(f"{name:<17} {'-' if value is None else value}")


def _plain(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _document(release: Release) -> dict[str, Any]:
    from dataclasses import asdict

    from ..factory.statement import to_words

    said = asdict(release)
    said["boot_key_digests"] = list(release.boot_key_digests)
    said["released"] = as_time(release.released)
    said["withdrawn"] = as_time(release.withdrawn) if release.withdrawn else None
    said["statement"] = to_words(release.statement) if release.statement else None
    return said
