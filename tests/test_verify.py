"""The walk on one screen: bytes to report to claims-set, in this order and no other."""

from __future__ import annotations

import pytest

import forge
from forge import nonce_of
from troth.core.claims import read_claims_set
from troth.core.errors import BadSignature, Malformed, Rejected, Replayed, Stale, UnknownSigner
from troth.core.freshness import Challenge
from troth.core.verify import attributed, authenticated, described, parse_evidence

BOARD, OTHER = forge.Device(1), forge.Device(2)
NONCE = nonce_of(1)
OPEN = Challenge("s1", NONCE, issued=1000, expires=1300)
KEYS = {board.key_id: board.enrol() for board in (BOARD, OTHER)}


def walk(raw: bytes, challenge: Challenge = OPEN, now: int = 1001) -> object:
    evidence = parse_evidence(raw)
    return authenticated(evidence, KEYS.get(evidence.key_id), challenge, now=now)


def test_a_healthy_board_gives_its_word() -> None:
    report = walk(BOARD.token(NONCE))
    assert report.verified.key.device == "board-1"
    assert report.token.set_digest == BOARD.set_digest()


def test_a_set_that_nobody_knows_must_be_asked_for() -> None:
    assert described(walk(BOARD.token(NONCE)), None) is None


def test_a_set_that_travelled_is_read_and_a_known_one_is_used() -> None:
    known = read_claims_set(BOARD.set(), BOARD.set_digest())
    assert described(walk(BOARD.bundle(NONCE)), None) == known
    assert described(walk(BOARD.token(NONCE)), known) is known


def test_a_false_set_is_refused_even_when_the_true_one_is_known() -> None:
    known = read_claims_set(BOARD.set(), BOARD.set_digest())
    report = walk(forge.wrap(BOARD.token(NONCE), BOARD.set(webrepl_on=True)))
    for knows in (known, None):
        with pytest.raises(Malformed) as refused:
            described(report, knows)
        assert refused.value.code == "set.mismatch"


def test_a_caller_who_looked_up_another_set_made_a_mistake_of_its_own() -> None:
    wrong = read_claims_set(BOARD.set(dbgstat=0), BOARD.set_digest(dbgstat=0))
    with pytest.raises(ValueError, match="another digest"):
        described(walk(BOARD.token(NONCE)), wrong)


def test_without_its_challenge_a_file_can_still_be_attributed() -> None:
    assert attributed(parse_evidence(BOARD.token(nonce_of(9))), BOARD.enrol()).token.boot_count == 7


IMPOSTOR = BOARD.token(NONCE, ueid=OTHER.ueid)
STRANGER = forge.Device(99).token(NONCE)
ORDER = {
    "a stranger's replay is a stranger's": (forge.Device(99).token(nonce_of(2)), UnknownSigner),
    "a stranger": (STRANGER, UnknownSigner),
    "a bad signature on noise is a bad signature": (
        forge.cbor(BOARD.envelope(b"noise", signature=bytes(64))),
        BadSignature,
    ),
    "signed noise is malformed": (forge.cbor(BOARD.envelope(b"noise")), Malformed),
    "an impostor": (IMPOSTOR, BadSignature),
    "an old answer": (BOARD.token(nonce_of(2)), Replayed),
}


@pytest.mark.parametrize("case", ORDER)
def test_signature_first_meaning_second_freshness_last(case: str) -> None:
    raw, kind = ORDER[case]
    with pytest.raises(Rejected) as refused:
        walk(raw)
    assert type(refused.value) is kind


def test_a_late_answer_is_stale() -> None:
    with pytest.raises(Stale):
        walk(BOARD.token(NONCE), now=1300)
