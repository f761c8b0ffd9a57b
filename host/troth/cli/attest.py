"""`troth attest`: one challenge over the serial port, its answer judged and recorded."""

from __future__ import annotations

import click

from ..trouble import Trouble
from .output import json_option, print_json, wants_json


@click.command("attest")
@click.option("--port", required=True, help="the board's serial port")
@json_option
def command(port: str) -> int:
    """Challenge the board on one port. A sealed board answers over the network alone.

    Ends with 0 compliant, 3 non-compliant, 4 not trusted, 5 unknown or stale.
    """
    from ..factory.serial import Board, quiet
    from ..factory.word import answer
    from .line import exit_of, open_line

    with open_line() as (_, store, verifier), quiet():
        board = Board.open(port, restart=False)
        with board:
            mac = str(board.agent("identify()").get("mac"))
            device = store.device(mac)
            if device is None:
                raise Trouble(
                    "device.unknown",
                    f"the board on {port} is not enrolled here",
                    why=f"MAC {mac}",
                    fix=f"troth provision --port {port}",
                )
            challenge = verifier.challenge(bytes.fromhex(device.ueid))
            raw = answer(board, challenge)
            board.resume()
        said = verifier.submit(challenge.session, raw)
    document = {
        "schema": "troth/attest/1",
        "port": port,
        "device": device.id,
        "name": device.name,
        **said,
    }
    if wants_json():
        print_json(document)
    else:
        click.echo(f"{document['name']}  {said['state']}")
        for duty in said["failing"]:
            click.echo(f"  {duty}: owed by {said['owed_by'][duty]}")
            click.echo(f"    {said['because'][duty]}")
        for duty in said["open"]:
            click.echo(f"  {duty}: not shown, {said['because'][duty]}")
    return exit_of(said["state"])
