"""`troth release check` and `troth release sbom`: what stands before a release before it ships."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from ..trouble import Trouble
from .desk import Instant
from .maker import open_home, read_file
from .output import NON_COMPLIANT, OK, UNKNOWN, json_option, print_json, put_file, wants_json

if TYPE_CHECKING:
    from ..core.reference import Policy
    from ..feeds.shipping import Build, Finding, Market
    from ..store import Store

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("check")
@click.argument("app", type=_FILE)
@click.option("--files", type=_FOLDER, required=True, help="product's files")
@click.option("--statement", type=_FILE, help="the maker's declaration, TOML")
@click.option("--version", metavar="V", help="the release's version [default: of troth.json]")
@click.option("--model", help="model designation [default: hwmodel of troth.json]")
@click.option("--market", "markets", help="comma between several [default: those declared]")
@click.option(
    "--class",
    "product_class",
    type=click.Choice(["consumer", "industrial"]),
    default="consumer",
    show_default=True,
)
@click.option("--on", "at", type=Instant(), metavar="DATE", help="day of shipping [default: today]")
@click.option("--sbom", type=_FILE, help="component list, CycloneDX in JSON")
@click.option("--draft", type=_FOLDER, help="write drafts of the papers into this folder")
@json_option
def check(
    app: Path,
    markets: str | None,
    product_class: str,
    at: int | None,
    draft: Path | None,
    **said: Any,
) -> int:
    """What would stop the image APP with these files in each market, before it is shipped.

    Ends with 3 when something would stop it, with 5 when the maker could still show something
    grave, with 0 when only boards are left to show the rest.
    """
    from ..catalogue import bundled
    from ..feeds import shipping

    now = int(time.time()) if at is None else at
    with ExitStack() as stack:
        store, policy = _records(stack)
        build = _build(app, store, now, **said)
        found = shipping.check(
            store,
            policy,
            bundled(policy.packs),
            build,
            markets=_markets(markets, build),
            product_class=product_class,
            now=now,
        )
        papers = _write(draft, build, policy, found, now) if draft else {}
    code = NON_COMPLIANT if any(each.stops for each in found) else OK
    if code == OK and any(each.grave_gaps for each in found):
        code = UNKNOWN
    if wants_json():
        print_json(_document(build, found, papers, now, code))
        return code
    for market in found:
        _tell(market)
    for path, missing in papers.items():
        click.echo(f"draft   {path}  {missing} gaps")
    return code


@click.command("sbom")
@click.argument("app", type=_FILE)
@click.option("--files", type=_FOLDER, required=True, help="product's files")
@click.option("--version", metavar="V", help="the release's version [default: of troth.json]")
@click.option("--model", help="model designation [default: hwmodel of troth.json]")
@click.option("-o", "--output", type=_FILE, required=True, help="CycloneDX in JSON")
@json_option
def sbom(app: Path, files: Path, version: str | None, model: str | None, output: Path) -> None:
    """Begin a component list: the image, every code file, and what the image names by itself."""
    from ..factory.manifest import board_tree, read_tree
    from ..feeds.parts import list_parts

    now = int(time.time())
    tree = read_tree(files)
    image = read_file(app)
    drafted = _draft(image, tree, None, version, model, now)
    text = list_parts(
        image, board_tree(tree, frozen=drafted.frozen_agent), drafted.release(), made=now
    )
    put_file(output, text.encode())
    if wants_json():
        print_json({"schema": "troth/sbom/1", "file": str(output)})
        return
    click.echo(output)
    click.echo("next: add the libraries of the image that it does not name itself", err=True)


def _records(stack: ExitStack) -> tuple[Store, Policy]:
    """The home's records and policy; without a home, none and the default ones."""
    from ..core.reference import Policy
    from ..store import Store

    try:
        settings, store = stack.enter_context(open_home())
    except Trouble as err:
        if err.code not in ("home.missing", "store.missing"):
            raise
        click.echo("note: no home here: judged without earlier releases and feeds", err=True)
        folder = stack.enter_context(TemporaryDirectory())
        url = f"sqlite:///{folder}/empty.db"
        return stack.enter_context(Store.open(url, create=True)), Policy()
    return store, settings.policy


def _draft(
    image: bytes,
    tree: dict[str, bytes],
    statement: Any,
    version: str | None,
    model: str | None,
    now: int,
) -> Any:
    from ..factory.manifest import SETTINGS, read_settings
    from ..factory.release import draft_release

    if version is None and SETTINGS in tree:
        version = str(read_settings(tree[SETTINGS], "troth.json")["swversion"])
    return draft_release(
        image, tree, version=version or "0", released=now, model=model, statement=statement
    )


def _build(app: Path, store: Store, now: int, **said: Any) -> Build:
    from ..core.reference import Statement
    from ..factory.manifest import read_tree
    from ..factory.statement import read_statement
    from ..feeds import intake
    from ..feeds.shipping import Build

    tree = read_tree(said["files"])
    statement = read_statement(said["statement"]) if said["statement"] else None
    drafted = _draft(read_file(app), tree, statement, said["version"], said["model"], now)
    release, parts = drafted.release(), None
    if said["sbom"]:
        parts = intake.sbom_feed(said["sbom"], release, tree).document
    if statement is None:
        statement = store.statement(release.model) or Statement()
    return Build(release, tree, statement, parts)


def _markets(given: str | None, build: Build) -> tuple[str, ...]:
    from ..factory.values import MARKETS

    names = tuple(given.split(",")) if given else build.statement.markets or ("eu", "uk")
    unknown = [name for name in names if name not in MARKETS]
    if unknown:
        raise Trouble(
            "release.market",
            f"no market {unknown[0][:40]!r}",
            why=f"known: {', '.join(MARKETS)}",
            fix="--market eu,uk",
        )
    return tuple(dict.fromkeys(names))


def _write(
    folder: Path, build: Build, policy: Policy, found: tuple[Market, ...], now: int
) -> dict[str, int]:
    """The papers of those markets that want one, with the count of their gaps."""
    from ..catalogue import bundled
    from ..feeds import papers

    texts = {}
    for market in found:
        if market.name == "uk":
            texts["uk-statement-of-compliance.md"] = papers.psti(build, now=now)
        if market.name == "eu":
            catalogue = bundled(policy.packs)
            texts["eu-technical-documentation.md"] = papers.cra(build, catalogue, market, now=now)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        put_file(folder / name, text.encode())
    return {str(folder / name): papers.gaps(text) for name, text in texts.items()}


def _tell(market: Market) -> None:
    from ..feeds.shipping import Shower
    from ..fleet.words import count, day

    stops = market.stops
    gaps, applications, boards = (market.not_shown(shower) for shower in Shower)
    words = f"{count(len(stops), 'duty')} would stop it" if stops else "nothing known would stop it"
    click.echo(f"{market.name}: {words}")
    for each in stops:
        click.echo(f"  ✘ {each.duty.id}  ({', '.join(each.regimes)})")
        click.echo(f"      {each.said.because}")
        click.echo(f"      do: {each.said.remedy}")
    if gaps:
        click.echo(f"  {count(len(gaps), 'duty')} that you can still show today:")
        for each in gaps:
            click.echo(f"  ? {each.duty.id}: {'; '.join(each.needs)}")
    if applications:
        click.echo(
            f"  {count(len(applications), 'duty')} that the application declares on the board:"
        )
        for each in applications:
            click.echo(f"  ? {each.duty.id}: {'; '.join(each.needs)}")
    if boards:
        click.echo(f"  {count(len(boards), 'duty')} that only a board can show:")
        click.echo(f"    {' '.join(each.duty.id for each in boards)}")
    for each in market.stops_later:
        since = min(line.since for line in market.upcoming if line.duty == each.duty.id)
        click.echo(f"  from {day(since)}: ✘ {each.duty.id}  ({', '.join(each.regimes)})")


def _document(
    build: Build, found: tuple[Market, ...], papers: dict[str, int], now: int, code: int
) -> dict[str, Any]:
    from ..feeds.shipping import Shower
    from ..fleet.words import iso

    return {
        "schema": "troth/release-check/1",
        "model": build.release.model,
        "version": build.release.version,
        "chip": build.release.chip,
        "on": iso(now),
        "exit": code,
        "markets": [
            {
                "market": each.name,
                "met": [f.duty.id for f in each.findings if f.said.outcome.value == "met"],
                "stops": [_finding(f) for f in each.stops],
                "show_today": [_finding(f) for f in each.not_shown(Shower.MAKER)],
                "applications_declare": [_finding(f) for f in each.not_shown(Shower.APPLICATION)],
                "boards_show": [_finding(f) for f in each.not_shown(Shower.BOARD)],
                "upcoming": [_finding(f) for f in each.stops_later],
            }
            for each in found
        ],
        "drafts": [{"file": path, "gaps": missing} for path, missing in papers.items()],
    }


def _finding(each: Finding) -> dict[str, Any]:
    return {
        "duty": each.duty.id,
        "severity": each.duty.severity.value,
        "regimes": list(each.regimes),
        "because": each.said.because,
        "remedy": each.said.remedy,
        "shown_by": list(each.needs),
    }
