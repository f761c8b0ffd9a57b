"""A signature that lies beside a file: FILE.sig, a COSE_Sign1 over its digest and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..trouble import Trouble
from .output import put_file


def beside(file: Path) -> Path:
    return file.with_name(file.name + ".sig")


def seal(file: Path, digest: str, about: Mapping[str, Any], key: Path) -> None:
    """Sign what was written to a file, by its SHA-256."""
    from ..factory.keys import read_private_key
    from ..factory.signed import sign_record

    said = {"sha256": digest, **about}
    put_file(beside(file), sign_record(said, "report", read_private_key(key)))
    click.echo(f"{beside(file)}: signed", err=True)


def check(file: Path, digest: str, key: Path | None) -> dict[str, Any]:
    """What was signed about this SHA-256. Trouble `report.unsigned`, `.signature`, `.altered`.

    Without a key it must be this home's baseline key.
    """
    from ..factory.keys import read_public_key
    from ..factory.signed import open_record
    from ..settings import MASTER, find_home

    if not beside(file).is_file():
        raise Trouble("report.unsigned", f"no {beside(file)}", fix="--sign KEY when it is made")
    if key is None:
        home = (click.get_current_context().find_root().obj or {}).get("home")
        public = read_public_key(find_home(home) / MASTER.parent, "baseline")
    else:
        public = read_public_key(key.parent, key.stem)
    said = open_record(beside(file).read_bytes(), "report", public)
    if said.get("sha256") != digest:
        raise Trouble(
            "report.altered",
            f"{file.name} is not what was signed",
            why=f"the signature is of SHA-256 {said.get('sha256')}",
            fix="ask who signed it for the file, or make it again with the same --as-of",
        )
    return said
