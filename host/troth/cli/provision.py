"""`troth provision`: from bare boards to enrolled ones, several ports at once."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..trouble import Trouble
from .output import OK, as_trouble, exit_code, json_option, print_json, wants_json

if TYPE_CHECKING:
    from ..factory.order import Order
    from ..settings import Settings

_MOST_AT_ONCE = 16


@click.command("provision")
@click.option("--port", "ports", multiple=True, help="a board's serial port; again for more")
@click.option(
    "--hardened",
    "chips",
    multiple=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="instead: a chip of `troth board harden`, whose build has no prompt",
)
@click.option(
    "--files", type=click.Path(file_okay=False, path_type=Path), help="the product's files"
)
@click.option("--model", help="model designation [default: hwmodel of troth.json]")
@click.option(
    "--name",
    "names",
    multiple=True,
    help="a unit's name, one for each board in their order [default: model and MAC]",
)
@click.option("--class", "product_class", type=click.Choice(["consumer", "industrial"]))
@click.option(
    "--market", type=click.Choice(["eu", "uk", "au", "us-ca"]), help="where the unit is sold"
)
@click.option("--placed", metavar="DATE", help="placed on the market [default: today, if sold]")
@click.option("--own-use", is_flag=True, help="not for sale [default without --market]")
@click.option(
    "--profile",
    type=click.Choice(["auto", "P0", "P1", "P2"]),
    default="auto",
    help="refuse a board that the line sees otherwise",
)
@click.option(
    "--url", help="where boards report, https:// or mqtts:// [default: `bind` of troth.toml]"
)
@click.option(
    "--fresh",
    type=click.Choice(["challenge", "epoch"]),
    default="challenge",
    help="what boards answer: each its own challenge, or a handle that is good for a period",
)
@click.option("--seal", is_flag=True, help="close the prompt of a hardened build for good")
@click.option(
    "--seal-anyway", is_flag=True, help="with --seal: even if app or files are not released"
)
@click.option("--rekey", is_flag=True, help="the board was erased: enrol its new key")
@json_option
def command(
    ports: tuple[str, ...], chips: tuple[Path, ...], names: tuple[str, ...], **asked: Any
) -> int:
    """Install the agent, make the board's key, attest for the first time, enrol, and seal if asked.

    Safe to run again: every step looks at the board before it acts; a board is known by its MAC.
    Ends with 0 when every board is enrolled, whatever its state: `troth check` weighs that.
    """
    from ..factory.serial import quiet
    from .line import open_line

    ports = tuple(dict.fromkeys(ports))
    if bool(ports) == bool(chips):
        raise click.UsageError("say --port, or --hardened")
    if names and len(names) != len(ports or chips):
        raise click.UsageError("--name goes with each board, or with none")
    if asked["seal_anyway"] and not asked["seal"]:
        raise click.UsageError("--seal-anyway goes with --seal")
    with open_line() as (settings, store, verifier):
        order = _order(settings, {**asked, "chips": chips})
        orders = [replace(order, name=name) for name in names] or [order] * len(ports or chips)
        if chips:
            done = [
                _register(chip, own, store, verifier)
                for chip, own in zip(chips, orders, strict=True)
            ]
        else:
            with quiet():
                done = _run(ports, orders, settings, store, verifier)
    if wants_json():
        print_json({"schema": "troth/provision/1", "boards": done})
    else:
        for row in done:
            if row["ok"]:
                _show(row)
    for row in done:
        for note in row.get("notes", ()):
            click.echo(f"note: {row.get('folder') or row['port']}: {note}", err=True)
    failed = [row for row in done if not row["ok"]]
    return exit_code(failed[0]["code"]) if failed else OK


def _show(row: dict[str, Any]) -> None:
    """One board that is done: its state, and what it falls short of."""
    said = row.get("state", "not heard yet" if "folder" in row else "sealed before")
    click.echo(f"{row.get('folder') or row['port']}  {row['name']}  {said}")
    for duty in row.get("failing", ()):
        click.echo(f"  {duty}: owed by {row['owed_by'][duty]}")
        click.echo(f"    {row['because'][duty]}")


def _register(chip: Path, order: Order, store: Any, verifier: Any) -> dict[str, Any]:
    """One hardened chip; what was registered before it stays."""
    from ..factory.hardened import register

    done = register(chip, order, store, verifier.ring, at=int(time.time()))
    return {"folder": str(chip), "ok": True, **done}


def _run(
    ports: tuple[str, ...], orders: list[Order], settings: Settings, store: Any, verifier: Any
) -> list[dict[str, Any]]:
    from concurrent.futures import ThreadPoolExecutor
    from threading import Event

    from ..factory.journal import Journal
    from ..factory.station import Station

    journal = Journal(settings.home / "line.jsonl")
    rows = Rows(ports)
    halt = Event()

    def one(port: str, order: Order) -> dict[str, Any]:
        station = Station(port, order, store, verifier, journal, rows.tell, halt)
        try:
            return {"port": port, "ok": True, **station.run()}
        except Exception as err:  # one port's trouble is not its neighbours'
            trouble = err if isinstance(err, Trouble) else as_trouble(err)
            rows.trouble(port, trouble)
            return {
                "port": port,
                "ok": False,
                "mac": station.mac,
                "code": trouble.code,
                "what": trouble.what,
                "why": trouble.why,
                "fix": trouble.fix,
            }

    with ThreadPoolExecutor(min(len(ports), _MOST_AT_ONCE)) as pool:
        try:
            return list(pool.map(one, ports, orders))
        except KeyboardInterrupt:
            halt.set()  # each board ends the step it is in; the same command goes on from there
            raise


def _order(settings: Settings, asked: dict[str, Any]) -> Order:
    from ..core.device import Profile
    from ..factory.keys import point_of, read_private_key
    from ..factory.manifest import LINKS, SETTINGS, read_settings, read_tree
    from ..factory.order import Order
    from ..factory.passwords import Passwords
    from ..factory.pki import read_cert_der

    url = asked["url"] or f"https://{settings.bind}"
    if url.split("://")[0] not in LINKS:
        raise click.UsageError("--url begins with https:// or mqtts://")
    behind = url.startswith("mqtts:")
    broker_ca = settings.mqtt.ca if behind else ""
    if asked["chips"] and not asked["files"]:
        raise click.UsageError("--hardened needs --files: what lies in the board's file system")
    files = read_tree(asked["files"]) if asked["files"] else None
    if files is not None and SETTINGS in files:
        read_settings(files[SETTINGS], str(asked["files"] / "troth.json"))
    return Order(
        url=url,
        ca=read_cert_der(Path(broker_ca or settings.ca_cert)),
        receipt_key=point_of(read_private_key(settings.ear_key).public_key()).hex(),
        fresh=asked["fresh"],
        files=files,
        model=asked["model"],
        sale=_sale(asked),
        sale_given=bool(asked["market"] or asked["own_use"]),
        profile=None if asked["profile"] == "auto" else Profile(asked["profile"]),
        seal=asked["seal"],
        seal_anyway=asked["seal_anyway"],
        rekey=asked["rekey"],
        passwords=Passwords(settings.keys / "mqtt.passwords") if behind else None,
    )


def _sale(asked: dict[str, Any]) -> Any:
    from ..factory.enrol import Sale
    from .maker import parse_day

    sold = [
        f"--{name}"
        for name, key in (("class", "product_class"), ("market", "market"), ("placed", "placed"))
        if asked[key]
    ]
    if asked["own_use"] and sold:
        raise click.UsageError(f"--own-use and {sold[0]} do not go together")
    if sold and not asked["market"]:
        raise click.UsageError(f"{sold[0]} needs --market: where is the unit sold?")
    if not sold:
        return Sale()
    placed = parse_day(asked["placed"]) if asked["placed"] else int(time.time())
    return Sale(asked["product_class"] or "consumer", asked["market"], placed)


class Rows:
    """One progress row per port on stderr; on a terminal each is rewritten in its place."""

    def __init__(self, ports: tuple[str, ...]) -> None:
        from threading import Lock

        self._lock = Lock()
        self._rows = {port: f"{port:<24} waiting" for port in ports}
        self._live = sys.stderr.isatty()
        self._drawn = False

    def tell(self, port: str, mac: str | None, step: str, detail: str) -> None:
        """What a port does now; every file only where the row can be rewritten."""
        if not self._live and detail.startswith(("write ", "remove ")):
            return
        said = ":".join(mac[at : at + 2] for at in range(0, 12, 2)) if mac else "-"
        self._say(port, f"{port:<24} {said:<17}  {step:<9} {detail}".rstrip())

    def trouble(self, port: str, trouble: Trouble) -> None:
        """Why a port stopped, below the rows."""
        with self._lock:
            print(f"error[{trouble.code}] {port}: {trouble.what}", file=sys.stderr)
            for word in filter(None, (trouble.why, f"fix:  {trouble.fix}" if trouble.fix else "")):
                print(f"  {word}", file=sys.stderr)
            self._drawn = False

    def _say(self, port: str, row: str) -> None:
        with self._lock:
            if self._rows[port] == row:
                return
            self._rows[port] = row
            if not self._live:
                print(row, file=sys.stderr)
                return
            up = f"\x1b[{len(self._rows)}A" if self._drawn else ""
            lines = "".join(f"\x1b[2K{each}\n" for each in self._rows.values())
            print(up + lines, end="", file=sys.stderr, flush=True)
            self._drawn = True
