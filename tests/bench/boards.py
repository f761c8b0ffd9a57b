"""Two real boards of the demo, one stock and one hardened, that report to a real verifier."""

from __future__ import annotations

import atexit
import json
import sys
import tempfile
from functools import cache
from pathlib import Path

from troth.testing.stage import DEMO, Stage
from troth.testing.story import Cast, Story, read_story

STOCK, HARDENED = "bench-p0", "therm-p2"


@cache
def stage() -> Stage:
    """Provisioned and found compliant; one stage serves all parts of a run."""
    home = tempfile.TemporaryDirectory(prefix="troth-bench-")
    atexit.register(home.cleanup)
    stage = Stage(_story(), Path(home.name), say=_say).__enter__()
    atexit.register(stage.close)
    stage.open_line()
    left = stage.good_first(60)
    if left:
        raise RuntimeError(f"not compliant: {', '.join(cast.name for cast in left)}")
    return stage


def give_heap(stage: Stage, name: str, size: int) -> None:
    """From its next start on the board has a heap of this size."""
    facts = stage.settings.home / "boards" / name / "board.json"
    said = json.loads(facts.read_text()) | {"heap_bytes": size}
    facts.write_text(json.dumps(said))


def _story() -> Story:
    demo = read_story(DEMO)
    stock, hardened = demo.product("bench"), demo.product("therm-v2")
    cast = (
        Cast(STOCK, stock.model, stock.chips[0]),
        Cast(HARDENED, hardened.model, hardened.chips[0]),
    )
    return Story((stock, hardened), cast)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
