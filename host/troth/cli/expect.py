"""`troth emu run --expect STATE`: boards against a verifier of their own, for a tester's CI."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..factory.hardening import chip_ids
from ..trouble import Trouble
from .output import NON_COMPLIANT, OK, json_option, print_json, wants_json

if TYPE_CHECKING:
    from ..testing.story import Product, Story

# the emulator reads its scenario from another folder, so paths are made whole
_FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path)
_STATES = ("compliant", "non-compliant", "waived", "stale", "unknown")


@click.command("run")
@click.option("-n", "count", type=click.IntRange(1, 64), default=1, help="how many boards")
@click.option("--chip", type=click.Choice(chip_ids()), default="esp32c3", show_default=True)
@click.option("--profile", type=click.Choice(["P0", "P2"]), default="P0", show_default=True)
@click.option("--fault", help="one of `troth emu faults`")
@click.option("--files", type=_FOLDER)
@click.option("--app", type=_FILE)
@click.option("--name", default="board", show_default=True)
@click.option("--expect", type=click.Choice(_STATES), required=True)
@click.option("--timeout", "timeout_s", type=float, default=60, show_default=True)
@json_option
def command(
    count: int,
    chip: str,
    profile: str,
    fault: str | None,
    files: Path | None,
    app: Path | None,
    name: str,
    expect: str,
    timeout_s: float,
) -> int:
    """Run boards against a throw-away verifier; end with 0 when all reach STATE, else with 3."""
    from ..testing.expect import read_expectations
    from ..testing.stage import Stage

    expected = read_expectations().get(fault)
    if expected is None:
        raise Trouble("fault.unknown", f"no fault is called {fault}", fix="troth emu faults")
    if profile not in expected.profiles:
        what = f"{fault} is no fault of a {profile} board"
        raise Trouble("fault.profile", what, fix=f"--profile {expected.profiles[0]}")
    story = _story(count, chip, profile, fault, files, app, name)
    with (
        tempfile.TemporaryDirectory(prefix="troth-expect-") as home,
        Stage(story, Path(home), say=_say) as stage,
    ):
        stage.open_line()
        stage.good_first(timeout_s)
        stage.spoil_all()
        spoiled = int(time.time()) if fault else 0
        reached = stage.wait_for_state(expect, timeout_s, since=spoiled)
        rows = [(cast.name, stage.standing(cast)) for cast in story.boards]
        said = [
            {
                "name": name,
                "state": standing.state if standing else "unknown",
                "failing": [row.appraisal.duty for row in standing.answers] if standing else [],
                "rejected": list(standing.rejected) if standing else [],
            }
            for name, standing in rows
        ]
    if wants_json():
        print_json({"schema": "troth/expect/1", "expect": expect, "met": reached, "boards": said})
    else:
        for row in said:
            print(f"{row['name']}  {row['state']}  {' '.join(row['failing'])}".rstrip())
    return OK if reached else NON_COMPLIANT


def _story(
    count: int,
    chip: str,
    profile: str,
    fault: str | None,
    files: Path | None,
    app: Path | None,
    name: str,
) -> Story:
    """The demo's product that fits, on the chip asked for; or one's own files and image."""
    from ..testing.stage import DEMO
    from ..testing.story import Cast, Story, read_story

    product = replace(_product(read_story(DEMO), profile, fault), chips=(chip,), profile=profile)
    if profile == "P0":
        product = replace(product, product_class=None, market=None, placed=None)
    if files:
        product = replace(product, model=_model(files), files=files, folder=files.parent)
    if app:
        product = replace(product, releases=(replace(product.releases[-1], app=app),))
    names = [name] if count == 1 else [f"{name}-{i:02}" for i in range(1, count + 1)]
    return Story((product,), tuple(Cast(each, product.model, chip, fault) for each in names))


def _product(demo: Story, profile: str, fault: str | None) -> Product:
    """A fault that needs a product of its own (a maker's fault) brings it along."""
    for cast in demo.boards:
        if fault and cast.fault == fault:
            return demo.product(cast.model)
    return next(product for product in demo.products if product.profile == profile)


def _model(files: Path) -> str:
    import json

    try:
        return str(json.loads((files / "troth.json").read_text(encoding="utf-8"))["hwmodel"])
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise Trouble(
            "file.settings",
            f"{files}/troth.json does not name a model",
            why=str(err),
            fix='give it {"hwmodel": "my-model", ...}; see docs/tester.md',
        ) from err


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
