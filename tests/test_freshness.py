"""Only an answer to our own open challenge is fresh."""

from __future__ import annotations

from dataclasses import replace

import pytest

from troth.core.claims import Token
from troth.core.errors import Rejected, Replayed, Stale
from troth.core.freshness import CLOCK_STEP_S, Challenge, check_freshness

NONCE = bytes(range(32))
TOKEN = Token(b"\x02abcdef", NONCE, 1, 1, bytes(8), bytes(32), None)
OPEN = Challenge("s1", NONCE, issued=1000, expires=1300)


@pytest.mark.parametrize("now", [1000, 1001, 1299, 1000 - CLOCK_STEP_S])
def test_an_answer_within_its_life_is_fresh(now: int) -> None:
    check_freshness(TOKEN, OPEN, now=now)


@pytest.mark.parametrize("now", [1300, 1301, 10**10, 1000 - CLOCK_STEP_S - 1, 0])
def test_outside_its_life_a_challenge_is_expired(now: int) -> None:
    with pytest.raises(Stale) as refused:
        check_freshness(TOKEN, OPEN, now=now)
    assert refused.value.code == "nonce.expired"


def test_a_spent_challenge_is_not_answered_twice() -> None:
    with pytest.raises(Replayed) as refused:
        check_freshness(TOKEN, replace(OPEN, spent=True), now=1001)
    assert refused.value.code == "nonce.spent"


@pytest.mark.parametrize("nonce", [bytes(32), NONCE[::-1], NONCE[:31], NONCE + b"\0", b""])
def test_an_answer_to_another_challenge_is_a_replay(nonce: bytes) -> None:
    with pytest.raises(Replayed) as refused:
        check_freshness(TOKEN._replace(nonce=nonce), OPEN, now=1001)
    assert refused.value.code == "nonce.replayed"


def test_the_clock_of_the_device_decides_nothing() -> None:
    for said in (None, 0, 946_684_800, 253_402_300_799):
        check_freshness(TOKEN._replace(issued_at=said), OPEN, now=1001)


def test_a_replay_is_told_first_whatever_else_is_wrong() -> None:
    with pytest.raises(Rejected) as refused:
        check_freshness(TOKEN._replace(nonce=bytes(32)), replace(OPEN, spent=True), now=9999)
    assert refused.value.code == "nonce.replayed"


def test_a_challenge_drawn_for_one_device_is_not_answered_by_another() -> None:
    check_freshness(TOKEN, replace(OPEN, ueid=TOKEN.ueid), now=1001)
    with pytest.raises(Replayed) as refused:
        check_freshness(TOKEN, replace(OPEN, ueid=b"\x02fedcba"), now=1001)
    assert (refused.value.code, refused.value.path) == ("nonce.replayed", "claims/ueid")
