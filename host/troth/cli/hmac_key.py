"""troth board hmac-key: the key that a chip's fuse is to hold, while a program burns it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import click

from ..trouble import Trouble
from .output import json_option, print_json, wants_json

_PLACE = "{}"
STDERR = 2  # stdout is for data


@click.command(
    "hmac-key", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("mac")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="PROGRAM [WORD...]")
@json_option
def command(mac: str, words: tuple[str, ...]) -> None:
    """Derive the key of the chip with this MAC and run a program with it, as espefuse.

    The word {} stands for a file with the 32 bytes, which you alone may read; when the program
    ends it is gone. Nothing else of the key is kept or shown.
    """
    from ..core.keyring import mac_key_id
    from ..factory.keys import open_ring, write_new
    from ..settings import load_settings

    if _PLACE not in words:
        raise click.UsageError(f"a program and its words, one of them {_PLACE}: the key's file")
    address = _address(mac)
    root = click.get_current_context().find_root().obj or {}
    settings = load_settings(root.get("home"), root.get("db"))
    secret = open_ring(settings.hmac_master).secret(address)
    with tempfile.TemporaryDirectory(prefix="troth-") as folder:
        path = Path(folder) / "hmac-key.bin"
        write_new(path, secret, 0o600)
        _run([str(path) if word == _PLACE else word for word in words])
    kid = mac_key_id(secret).hex()
    if wants_json():
        print_json({"schema": "troth/hmackey/1", "mac": address.hex(), "key": kid})
    else:
        print(f"key {kid}")


def _address(mac: str) -> bytes:
    try:
        said = bytes.fromhex(mac.replace(":", "").replace("-", ""))
    except ValueError:
        said = b""
    if len(said) != 6:
        raise click.UsageError("MAC has 12 hex digits: espefuse summary shows it")
    return said


def _run(argv: list[str]) -> None:
    """The program speaks for itself: where it fails, nobody may believe that a key was burned."""
    try:
        ended = subprocess.run(argv, check=False, stdout=STDERR).returncode
    except OSError as err:
        raise Trouble(
            "harden.tool", f"{argv[0]} cannot be run", why=str(err.strerror), fix="name its path"
        ) from err
    if ended:
        raise Trouble(
            "harden.tool",
            f"{argv[0]} ended with {ended}",
            fix="see what it says; before it is run again: espefuse summary",
        )
