"""`troth feed`: what others know of flaws, components and contacts, brought in with its age."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .desk import Instant, as_of_option, db_option
from .maker import open_home
from .output import OK, UNKNOWN, json_option, print_json, wants_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..feeds.intake import Brought
    from ..settings import Settings
    from ..store import FeedRow, Store

_PLACE = click.Path(path_type=Path)
_FILE = click.Path(dir_okay=False, path_type=Path)
_synced = click.option(
    "--synced", type=Instant(), metavar="TIME", help="when the mirror was brought up to date"
)
_source = click.option("--source", help="its name [default: the kind]", metavar="NAME")


@click.group("feed")
@json_option
@db_option
def command() -> None:
    """Bring in what is known of flaws, components and contacts; see how old it is.

    A feed that is missing or too old makes duties `not-shown`. It never says that all is well.
    """


@command.group("add")
def add() -> None:
    """Read a feed, whole, and keep it; the units that it is about are judged again."""


@add.command("osv")
@click.argument("place", type=_PLACE)
@_source
@_synced
@json_option
@db_option
def osv(place: Path, source: str | None, synced: int | None) -> None:
    """Vulnerabilities: OSV records, one file or a folder of them."""
    from ..feeds.intake import osv_feed

    _add(lambda *_: osv_feed(place, source or "osv", synced=synced))


@add.command("vex")
@click.argument("place", type=_PLACE)
@_source
@json_option
@db_option
def vex(place: Path, source: str | None) -> None:
    """What makers say of flaws in their products: CSAF and VEX documents, one file or a folder."""
    from ..feeds.intake import vex_feed

    _add(lambda *_: vex_feed(place, source or "vex"))


@add.command("kev")
@click.argument("file", type=_FILE)
@_source
@json_option
@db_option
def kev(file: Path, source: str | None) -> None:
    """Flaws that are known to be exploited: known_exploited_vulnerabilities.json."""
    from ..feeds.intake import kev_feed

    _add(lambda *_: kev_feed(file, source or "kev"))


@add.command("sbom")
@click.argument("file", type=_FILE)
@click.option("--release", "ref", required=True, help="id, the beginning of it, or MODEL@VERSION")
@click.option("--files", type=_PLACE, help="the product's files: names what the list leaves out")
@json_option
@db_option
def sbom(file: Path, ref: str, files: Path | None) -> None:
    """The component list of one release, CycloneDX in JSON."""
    from ..factory import shelf
    from ..factory.manifest import read_tree
    from ..feeds.intake import sbom_feed

    def bring(_: Settings, store: Store) -> Brought:
        release = shelf.find(store, ref).release
        return sbom_feed(file, release, read_tree(files) if files else None)

    _add(bring)


@add.command("eol")
@click.argument("file", type=_FILE)
@_source
@_synced
@json_option
@db_option
def eol(file: Path, source: str | None, synced: int | None) -> None:
    """Until when components are cared for: endoflife.date/api/v1/products/full, as fetched."""
    from ..feeds.intake import eol_feed

    _add(lambda *_: eol_feed(file, source or "eol", synced=synced))


@add.command("contact")
@click.argument("file", type=_FILE)
@click.option("--model", required=True, help="the model whose maker publishes it")
@click.option("--fetched", type=Instant(), metavar="TIME", help="when [default: now]")
@json_option
@db_option
def contact(file: Path, model: str, fetched: int | None) -> None:
    """The maker's security.txt, as you fetched it."""
    from ..feeds.intake import contact_feed

    _add(lambda *_: contact_feed(file, model, synced=fetched or int(time.time())))


@command.command("list")
@as_of_option
@json_option
@db_option
def list_(as_of: int | None) -> int:
    """What is here, of when it is, and whether that is too old; ends with 5 if any is."""
    from ..fleet.sources import held
    from ..fleet.words import ago, iso
    from .tables import print_table

    at = int(time.time()) if as_of is None else as_of
    with open_home() as (settings, store):
        found = held(store, settings.policy, now=at)
    code = UNKNOWN if any(each.is_stale for each in found) else OK
    if wants_json():
        said = [_document(each.row, each.state) for each in found]
        print_json({"schema": "troth/feeds/1", "as_of": iso(at), "feeds": said})
        return code
    print_table(
        ("KIND", "SOURCE", "ABOUT", "ITEMS", "OF", "STATE"),
        (
            (
                row.kind,
                row.source or "-",
                row.subject[:24] or "all",
                row.items,
                ago(row.at, at),
                each.state,
            )
            for each in found
            for row in [each.row]
        ),
    )
    return code


@command.command("show")
@click.argument("ref", metavar="RELEASE")
@json_option
@db_option
def show(ref: str) -> int:
    """What the feeds together say of one release: its open flaws, its list, its reports."""
    from dataclasses import asdict

    from ..core.declared import speaking
    from ..core.feeds import NEVER
    from ..factory import shelf
    from ..fleet.fed import Fed
    from ..fleet.words import iso

    now = int(time.time())
    with open_home() as (settings, store):
        release = shelf.find(store, ref).release
        others = tuple(row.release for row in store.releases(release.model, release.chip))
        stated = tuple(row.statement for row in store.statements(release.model))
        declared = speaking(stated, release.version, now).statement
        found = asdict(Fed(store, settings.policy).of(release.model, release, others, declared))
    instants = ("_at", "_due", "_released", "_checked", "_expires")
    for name, value in found.items():
        if isinstance(value, int) and name.endswith(instants):
            found[name] = "none" if value == NEVER else iso(value)
    if wants_json():
        print_json({"schema": "troth/feed/1", "release": release.id, **found})
        return OK
    if found["vulns_open"] is not None and found["fix_released"] is None:
        found["fix_released"] = "none"
    for name, value in found.items():
        shown = ", ".join(value) or "none" if isinstance(value, tuple) else value
        click.echo(f"{name:<22}{'no feed' if shown is None else shown}")
    return OK


def _add(bring: Callable[[Settings, Store], Brought]) -> None:
    from ..feeds.intake import keep
    from ..fleet.sources import source_of
    from .again import judge_again

    now = int(time.time())
    with open_home() as (settings, store):
        row = keep(store, settings.policy, bring(settings, store), at=now, by=getpass.getuser())
        turned = judge_again(settings, store, now)
        document = store.feed_document(row.id)
        state = source_of(row, settings.policy, now=now).state
    said = _document(row, state)
    if row.kind == "sbom":
        import json

        said["missing"] = json.loads(document)["missing"]
    if wants_json():
        print_json({"schema": "troth/feed-added/1", **said, "turned": turned})
        return
    for name, value in said.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name:<10}{'none' if shown == '' else shown}")


def _document(row: FeedRow, state: str) -> dict[str, Any]:
    from ..fleet.words import iso

    return {
        "kind": row.kind,
        "source": row.source,
        "about": row.subject,
        "items": row.items,
        "of": iso(row.at),
        "state": state,
        "added": iso(row.added),
        "by": row.by,
        "digest": row.digest,
        "proof": row.proof,
    }
