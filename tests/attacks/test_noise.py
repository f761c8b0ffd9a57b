"""The readers are total: more than 100,000 random and mutated inputs, no other exception."""

from __future__ import annotations

import time

import pytest

from attacks import fuzz

ROUNDS = {"evidence": 50_000, "token": 30_000, "claims-set": 15_000, "item": 20_000, "peer": 5_000}
COST_MS = 10  # of CPU: what a bomb may cost before a bound ends it


def test_together_they_get_more_than_a_hundred_thousand() -> None:
    assert set(ROUNDS) == set(fuzz.TARGETS)
    assert sum(ROUNDS.values()) >= 100_000


@pytest.mark.parametrize("target", ROUNDS)
def test_the_reader_gives_its_type_or_its_own_refusal(target: str) -> None:
    outcomes = fuzz.run(target, ROUNDS[target], seed=20261123)
    assert outcomes.total() == ROUNDS[target]
    assert len(outcomes) >= 8, "the inputs reach too little of the reader"


BOMBS = {
    "deep arrays": b"\x81" * 16_000 + b"\x00",
    "deep maps": b"\xa1\x00" * 8_000 + b"\x00",
    "deep tags": b"\xd2" * 16_000 + b"\x00",
    "an array of 2^63": b"\x9b\x80" + bytes(7),
    "bytes of 2^63": b"\x5b\x80" + bytes(7),
    "many items": b"\x99\x3e\x00" + bytes(0x3E00),
    "a wide map": b"\xb9\x13\x88"
    + b"".join(b"\x19%c%c\x00" % divmod(n, 256) for n in range(256, 4000)),
    "a big number": b"\xc2\x59\x3e\x00" + bytes(0x3E00),
    "a decimal of a million digits": bytes.fromhex("c4821a000f424001"),
    "an indefinite bomb": b"\x5f" + b"\x41\x61" * 8_000,
    "a megabyte": bytes(1_000_000),
}


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_no_bomb_costs_more_than_a_moment(target: str, bomb: str) -> None:
    reader, _ = fuzz.TARGETS[target]
    start = time.process_time()
    with pytest.raises(fuzz.Rejected):
        reader(BOMBS[bomb])
    assert (time.process_time() - start) * 1000 < COST_MS
