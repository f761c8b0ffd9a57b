"""Times, counts and strangers' text, as the operator reads them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from troth.fleet.diag import diag, hexdump
from troth.fleet.words import ago, count, instant, iso, plain
from troth.trouble import Trouble


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0, "now"),
        (1, "1 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7200, "2 h ago"),
        (172_800, "2 d ago"),
        (-7200, "in 2 h"),
    ],
)
def test_a_gap_is_told_in_its_largest_unit(gap: int, words: str) -> None:
    assert ago(10_000_000 - gap, 10_000_000) == words


def test_counts_have_their_plural() -> None:
    assert [count(1, "duty"), count(2, "duty"), count(3, "device")] == [
        "1 duty",
        "2 duties",
        "3 devices",
    ]


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00", "2026-11-23T08:00", "2026-11-23 08"],
)
def test_an_instant_without_a_zone_is_utc(text: str) -> None:
    assert iso(instant(text)) == "2026-11-23T08:00:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "\x1b[2J"])
def test_what_is_no_instant_is_trouble(text: str) -> None:
    with pytest.raises(Trouble) as caught:
        instant(text)
    assert caught.value.code == "usage.instant"
    assert "\x1b" not in caught.value.what


@given(st.text())
def test_plain_text_is_bounded_and_obeys_nobody(text: str) -> None:
    shown = plain(text, 50)
    assert len(shown) <= 50
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in shown)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown


def test_a_terminal_escape_is_shown_as_what_it_is() -> None:
    assert plain("\x1b[31mred") == "\\x1b[31mred"


def test_diagnostic_notation_opens_nested_items() -> None:
    raw = bytes.fromhex("d28443a10126a04ea2016c612d6c6f6e672d746578740a")[:0] + bytes.fromhex(
        "d2814da10a4a00010203040506070809"
    )
    assert "<<" in diag(raw)
    assert "10: h'00010203040506070809'" in diag(raw)


def test_a_hex_dump_counts_its_bytes() -> None:
    assert hexdump(bytes(17)).splitlines()[1] == "0010  00"
