"""troth device rotate-key: a new key for a board, certified by the old one."""

from __future__ import annotations

import time

import click

from ..fleet.words import iso, plain
from .output import json_option, print_json, wants_json


@click.command("rotate-key")
@click.argument("ref", metavar="DEVICE")
@click.option("--port", required=True, help="the board's serial port")
@json_option
def rotate_key(ref: str, port: str) -> int:
    """Have a board make a new key, certified by the old one, and believe the old one no more.

    Ends with the board's first word under the new key. Cut off half-way, run it again.
    """
    from ..factory.rotation import rotate
    from ..factory.serial import Board, quiet
    from ..factory.word import answer
    from ..fleet.device import find_device
    from .line import exit_of, open_line

    with open_line() as (_, store, verifier), quiet():
        device, at = find_device(store, ref), int(time.time())
        with Board.open(port, restart=False) as board:
            done = rotate(board, device, store, verifier, at=at)
            challenge = verifier.challenge(bytes.fromhex(device.ueid))
            raw = answer(board, challenge)
            board.resume()
        said = verifier.submit(challenge.session, raw)
    if wants_json():
        print_json(
            {
                "schema": "troth/rotated/1",
                "device": device.id,
                "name": device.name,
                "old": done.old.hex(),
                "new": done.new.hex(),
                "finished": done.finished,
                "at": iso(at),
                **said,
            }
        )
    else:
        print(f"{plain(device.name)}  key {done.old.hex()} -> {done.new.hex()}  {said['state']}")
    return exit_of(said["state"])
