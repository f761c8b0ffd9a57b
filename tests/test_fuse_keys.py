"""Evidence under a fuse key (COSE_Mac0), all the way: believed, refused, or our own fault."""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import forge
import house
from forge import cbor, wrap
from troth.core.device import Profile
from troth.core.duties import Outcome
from troth.core.keyring import KeyRing
from troth.fleet.offline import verify_bytes
from troth.formats import cose
from troth.ingest.outcomes import Judged, TurnedAway
from troth.store import Store
from troth.trouble import Trouble

FUSED, SIGNING = forge.MacDevice(1), forge.Device(2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as made:
        house.enrol(made, FUSED, profile=Profile.P1)
        house.enrol(made, SIGNING)
        made.add_release(house.release(FUSED), b"record", at=house.NOW)
        yield made


def duty(outcome: Judged, name: str) -> Outcome:
    return next(each.outcome for each in outcome.verdict.appraisals if each.duty == name)


def test_a_report_under_a_fuse_key_is_judged_as_that_of_a_p1_board(store: Store) -> None:
    pipeline = house.pipeline(store)
    for form in (FUSED.bundle, FUSED.token):  # the set once, then the token alone
        challenge = pipeline.challenge()
        outcome = pipeline.submit(challenge.session, form(challenge.nonce))
        assert isinstance(outcome, Judged)
        assert duty(outcome, "attest.alg-approved") is Outcome.MET
        assert duty(outcome, "attest.key-custody") is Outcome.MET
        assert duty(outcome, "store.unique-keys") is Outcome.MET


def test_an_auditor_with_the_master_comes_to_the_same(store: Store) -> None:
    raw = FUSED.bundle(forge.nonce_of(1))
    asked = (store, house.POLICY, house.duties(), raw)
    opinion = verify_bytes(*asked, now=house.NOW, ring=KeyRing(lambda: forge.MASTER))
    assert opinion.verdict
    with pytest.raises(Trouble) as caught:
        verify_bytes(*asked, now=house.NOW)
    assert caught.value.code == "key.missing"


def under_another_key(nonce: bytes) -> bytes:
    wrong = forge.MacDevice(1, master=bytes(32))
    return cbor(FUSED.envelope(payload := FUSED.claims(nonce), signature=wrong.sign(b"", payload)))


def maced_with_a_public_key(nonce: bytes) -> bytes:
    """The old trick: what everybody may know serves as the secret."""
    protected, payload = cbor({1: 5, 4: SIGNING.key_id, 16: 263}), SIGNING.claims(nonce)
    tag = hmac.digest(SIGNING.public_key, cose.mac0(protected, payload), "sha256")
    return cbor(forge.Tag(17, [protected, {}, payload, tag]))


def signed_with_a_mac_keys_name(nonce: bytes) -> bytes:
    return cbor(SIGNING.envelope(FUSED.claims(nonce), header={1: -7, 4: FUSED.key_id, 16: 263}))


def cut_tag(nonce: bytes) -> bytes:
    envelope = FUSED.envelope(FUSED.claims(nonce))
    envelope.item[3] = envelope.item[3][:8]
    return cbor(envelope)


def in_anothers_name(nonce: bytes) -> bytes:
    return FUSED.token(nonce, ueid=SIGNING.ueid)


ATTACKS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a tag under another key": (under_another_key, "sig.bad"),
    "a public key as secret": (maced_with_a_public_key, "cose.algorithm"),
    "a signature under a MAC key's name": (signed_with_a_mac_keys_name, "cose.algorithm"),
    "a tag cut to 64 bits": (cut_tag, "sig.bad"),
    "another board's name": (in_anothers_name, "id.mismatch"),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=list(ATTACKS))
def test_it_is_refused_and_filed(
    store: Store, attack: tuple[Callable[[bytes], bytes], str]
) -> None:
    make, code = attack
    pipeline = house.pipeline(store)
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, wrap(make(challenge.nonce), FUSED.set()))
    assert isinstance(outcome, TurnedAway)
    assert outcome.why.code == code


def test_with_another_master_no_board_is_blamed_and_nothing_is_spent(store: Store) -> None:
    broken = house.pipeline(store, master=bytes(32))
    challenge = broken.challenge()
    raw = FUSED.bundle(challenge.nonce)
    for _ in range(2):
        with pytest.raises(Trouble) as caught:
            broken.submit(challenge.session, raw)
        assert caught.value.code == "key.mismatch"
    assert store.rejections() == ()
    # a neighbour that signs is not touched, and the right master finds the session still open
    other = broken.challenge()
    assert isinstance(broken.submit(other.session, SIGNING.bundle(other.nonce)), Judged)
    assert isinstance(house.pipeline(store).submit(challenge.session, raw), Judged)


def test_the_table_holds_a_public_key_or_none_by_its_algorithm(
    store: Store, tmp_path: Path
) -> None:
    hand = sqlite3.connect(tmp_path / "troth.db")
    for change in (
        "UPDATE keys SET public_key = zeroblob(64) WHERE algorithm = 5",
        "UPDATE keys SET public_key = NULL WHERE algorithm = -7",
        "UPDATE keys SET algorithm = 5 WHERE algorithm = -7",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="public_half"):
            hand.execute(change)
    hand.close()
