"""`troth demo`: the whole story on emulated boards, then the page until Ctrl-C."""

from __future__ import annotations

import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .output import NON_COMPLIANT, OK, json_option, print_json, wants_json

if TYPE_CHECKING:
    from ..testing.ledger import Standing
    from ..testing.story import Cast, Story


@click.command("demo")
@click.option("--once", is_flag=True, help="end when the story is told")
@click.option("--keep", type=click.Path(path_type=Path), help="play in this folder and keep it")
@click.option("--pages", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
@json_option
def command(once: bool, keep: Path | None, pages: str) -> int:
    """Twelve real MicroPython boards: good first, then the faults."""
    from ..testing.stage import DEMO, Stage
    from ..testing.story import read_story

    story = read_story(DEMO)
    with tempfile.TemporaryDirectory(prefix="troth-demo-") as made:
        home = keep or Path(made)
        where = "127.0.0.1:0" if once or _taken(pages) else pages
        with Stage(story, home, pages=where, private=once, say=_say) as stage:
            stage.play()
            standings = [(cast, stage.standing(cast)) for cast in story.boards]
            told = [(cast, standing) for cast, standing in standings if standing]
            _print(story, told)
            if not once:
                _say(f"the page is at {stage.pages}  (Ctrl-C ends the demo)")
                threading.Event().wait()
    return _ending(told)


def _ending(told: list[tuple[Cast, Standing]]) -> int:
    return NON_COMPLIANT if any(standing.answers for _, standing in told) else OK


def _print(story: Story, told: list[tuple[Cast, Standing]]) -> None:
    if wants_json():
        print_json(_document(story, told))
    else:
        _table(story, told)
    sys.stdout.flush()


def _document(story: Story, told: list[tuple[Cast, Standing]]) -> dict[str, Any]:
    from ..testing.ledger import findings

    return {
        "schema": "troth/demo/1",
        "exit": _ending(told),
        "boards": [
            {
                "name": cast.name,
                "model": cast.model,
                "chip": cast.chip,
                "profile": story.product(cast.model).profile,
                "fault": cast.fault,
                "state": standing.state,
                "failing": [row.appraisal.duty for row in standing.own],
                "owed_by": {row.appraisal.duty: row.appraisal.owed_by for row in standing.own},
                "rejected": list(standing.rejected),
            }
            for cast, standing in told
        ],
        "findings": findings([standing for _, standing in told]),
    }


def _table(story: Story, told: list[tuple[Cast, Standing]]) -> None:
    rows = [("board", "profile", "fault", "state", "failing", "owed by, and why")]
    for cast, standing in told:
        profile = f"{story.product(cast.model).profile} {cast.chip}"
        head = (cast.name, profile, cast.fault or "-", standing.state.value)
        for line in _lines(standing) or [("-", "-")]:
            rows.append((*head, *line))
            head = ("", "", "", "")
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _lines(standing: Standing) -> list[tuple[str, str]]:
    """A line for each duty that falls short, for each that is inherited, and for each refusal."""
    owed = [
        (row.appraisal.duty, f"{row.appraisal.owed_by}: {row.appraisal.owed_because}")
        for row in standing.own
    ]
    inherited = [
        (
            f"{row.appraisal.duty} (the {row.subject_kind}'s)",
            f"{row.appraisal.owed_by}: {row.appraisal.because}",
        )
        for row in standing.inherited
    ]
    refused = [(f"rejected {code}", "nobody: it is no evidence") for code in standing.rejected]
    return owed + inherited + refused


def _taken(address: str) -> bool:
    """Is somebody else on the page's port? Then any free one will do."""
    import socket

    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return True
    return False


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
