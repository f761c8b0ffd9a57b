"""Fuses only ever burn: what was burned at the line must still be burned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.core.device import fuse_regressions

CASES = [
    ("nothing changed", "0f000000", "0f000000", 0),
    ("one more burned", "0f000000", "1f000000", 0),
    ("one unburned", "0f000000", "0e000000", 1),
    ("one unburned, others burned", "0f000000", "f0ffffff", 4),
    ("all unburned", "ffffffff", "00000000", 32),
    ("a shorter report hides burned words", "0000000001000000", "00000000", 1),
    ("a longer report adds words", "01000000", "0100000001000000", 0),
    ("nothing was recorded", "", "01000000", 0),
]


@pytest.mark.parametrize(("story", "was", "now", "count"), CASES, ids=[c[0] for c in CASES])
def test_regressions_are_counted(story: str, was: str, now: str, count: int) -> None:
    assert fuse_regressions(was, now) == count, story


@given(st.binary(min_size=4, max_size=64), st.binary(min_size=4, max_size=64))
def test_burning_more_is_never_a_regression(was: bytes, more: bytes) -> None:
    burned = bytes(a | b for a, b in zip(was, more.ljust(len(was), b"\0"), strict=False))
    assert fuse_regressions(was.hex(), burned.hex()) == 0
