"""Faults that the demo does not tell: each on a board of its own, beside one that stays well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from troth.testing.stage import DEMO, Stage
from troth.testing.story import Cast, Story, read_story

pytestmark = [pytest.mark.vm, pytest.mark.timeout(200)]


def _story() -> Story:
    demo = read_story(DEMO)
    therm = replace(demo.product("therm-v2"), chips=("esp32c3",))
    bench = demo.product("bench")
    faults = ("webrepl-on", "open-ap", "wrong-key", "replay")
    boards = [Cast("well-p2", therm.model, "esp32c3"), Cast("well-p0", bench.model, "esp32")]
    boards += [Cast(fault, therm.model, "esp32c3", fault) for fault in faults]
    boards.append(Cast("replay-p0", bench.model, "esp32", "replay"))
    return Story((therm, bench), tuple(boards))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory):
    with Stage(_story(), Path(tmp_path_factory.mktemp("faults")), say=print) as stage:
        stage.play()
        yield stage


@pytest.mark.parametrize("cast", _story().boards, ids=lambda cast: cast.name)
def test_a_fault_causes_what_its_table_says_and_nothing_else(stage: Stage, cast: Cast) -> None:
    standing = stage.standing(cast)
    assert standing is not None
    assert stage.expected(cast).differs(standing) == ""
