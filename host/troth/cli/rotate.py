"""troth device rotate-key: a new key for a board, certified by the old one."""

from __future__ import annotations

import time

import click

from ..fleet.words import iso, plain
from .output import OK, json_option, print_json, wants_json


@click.command("rotate-key")
@click.argument("ref", metavar="DEVICE")
@click.option("--port", help="the board's serial port; without it the board learns it by its link")
@click.option("--withdraw", is_flag=True, help="no new key is wanted any more")
@json_option
def rotate_key(ref: str, port: str | None, withdraw: bool) -> int:
    """Have a board make a new key, certified by the old one, and retire the old one.

    With a port it ends with the board's first word under the new key. Cut off half-way, run it
    again. Without, a board that reports over HTTPS by challenge does it with its next report.
    """
    if port is None or withdraw:
        return _wish(ref, withdraw)
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


def _wish(ref: str, withdraw: bool) -> int:
    """Note for the board's next challenge that its key is to go, or that it may stay."""
    from ..factory.rotation import in_force
    from ..fleet.device import find_device
    from .maker import open_home

    with open_home() as (_, store):
        device, at = find_device(store, ref), int(time.time())
        held = in_force(store, device)
        store.ask_rotation(device.id, None if withdraw else held.epoch, at=at)
    if wants_json():
        said = {"device": device.id, "name": device.name, "key": held.kid.hex()}
        print_json({"schema": "troth/rotation/1", **said, "wanted": not withdraw, "at": iso(at)})
    else:
        what = "may stay" if withdraw else "is to go: the board learns it with its next challenge"
        print(f"{plain(device.name)}  key {held.kid.hex()} {what}")
    return OK
