"""`troth init`: a home with its settings, its policy, one key per purpose, and an empty store."""

from __future__ import annotations

from pathlib import Path

import click

from .output import json_option, print_json, wants_json


@click.command("init")
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@json_option
@click.pass_context
def command(ctx: click.Context, folder: Path | None) -> None:
    """Make a home in FOLDER (here, if none is named). Running it again changes nothing."""
    from ..factory.home import make_home
    from ..settings import load_settings
    from ..store import Store

    root = ctx.find_root().obj or {}
    home = (folder or Path(root.get("home") or ".")).resolve()
    done = make_home(home)
    settings = load_settings(str(home), root.get("db"))
    Store.open(settings.db, create=True).close()
    if wants_json():
        print_json(
            {
                "schema": "troth/init/1",
                "home": str(home),
                "made": list(done.made),
                "anchor": done.anchor,
                "anchored": done.anchored,
            }
        )
        return
    click.echo(f"home    {home}")
    click.echo(f"made    {', '.join(done.made) or 'nothing: all was there'}")
    click.echo(f"anchor  {done.anchor}  (SHA-256 of the CA that boards pin)")
    if not done.anchored:
        click.echo("note: policy.toml does not name this CA under `anchors`", err=True)
