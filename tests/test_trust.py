"""One door: only an enrolled key that is not revoked, and a signature that holds."""

from __future__ import annotations

import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

import forge
from forge import N, nonce_of
from troth.core.errors import BadSignature, UnknownSigner, Unsupported
from troth.core.evidence import Evidence, parse_evidence
from troth.core.keyring import KeyRing, mac_key_id
from troth.core.trust import authenticate
from troth.formats import cose

BOARD, OTHER = forge.Device(1), forge.Device(2)
EVIDENCE = parse_evidence(BOARD.token(nonce_of(1)))


def signed(r: int, s: int) -> Evidence:
    return EVIDENCE._replace(signature=r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def test_a_known_signer_is_believed_to_be_itself() -> None:
    verified = authenticate(EVIDENCE, BOARD.enrol())
    assert verified.key.device == "board-1"
    assert verified.payload == EVIDENCE.payload


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UnknownSigner, match="no enrolled key") as refused:
        authenticate(EVIDENCE, None)
    assert refused.value.code == "key.unknown"


def test_a_key_that_was_looked_up_wrongly_is_never_tried() -> None:
    with pytest.raises(UnknownSigner):
        authenticate(EVIDENCE, replace(BOARD.enrol(), key_id=OTHER.key_id))


def test_another_key_under_the_same_id_does_not_verify() -> None:
    with pytest.raises(BadSignature) as refused:
        authenticate(EVIDENCE, BOARD.enrol(public_key=OTHER.public_key))
    assert refused.value.code == "sig.bad"


def test_a_revoked_key_is_told_only_to_its_holder() -> None:
    revoked = BOARD.enrol(revoked=True)
    with pytest.raises(UnknownSigner) as refused:
        authenticate(EVIDENCE, revoked)
    assert refused.value.code == "key.revoked"
    with pytest.raises(BadSignature):
        authenticate(EVIDENCE._replace(payload=b"\xa0"), revoked)


def test_the_algorithm_must_be_the_enrolled_one() -> None:
    with pytest.raises(Unsupported) as refused:
        authenticate(EVIDENCE._replace(algorithm=-8), BOARD.enrol())
    assert refused.value.code == "cose.algorithm"


FUSED = forge.MacDevice(3)
MACED = parse_evidence(FUSED.token(nonce_of(1)))


def test_a_tag_under_the_fuse_key_is_believed() -> None:
    verified = authenticate(MACED, FUSED.enrol_mac())
    assert (verified.key.device, verified.payload) == (FUSED.name, MACED.payload)


def test_a_revoked_fuse_key_is_told_only_to_its_holder() -> None:
    with pytest.raises(UnknownSigner) as refused:
        authenticate(MACED, FUSED.enrol_mac(revoked=True))
    assert refused.value.code == "key.revoked"
    with pytest.raises(BadSignature):
        authenticate(MACED._replace(payload=b"\xa0"), FUSED.enrol_mac(revoked=True))


@pytest.mark.parametrize("size", [0, 8, 16, 31, 33, 64])
def test_a_tag_is_never_cut(size: int) -> None:
    cut = (MACED.signature + bytes(64))[:size]
    with pytest.raises(BadSignature, match="has 32") as refused:
        authenticate(MACED._replace(signature=cut), FUSED.enrol_mac())
    assert refused.value.code == "sig.bad"


def test_a_tag_under_another_key_or_for_another_purpose_does_not_hold() -> None:
    with pytest.raises(BadSignature):
        authenticate(MACED, FUSED.enrol_mac(secret=forge.MacDevice(4).secret))
    for context in ("MAC", "Signature1", "Encrypt0"):
        elsewhere = FUSED.sign(MACED.protected, MACED.payload, context)
        with pytest.raises(BadSignature):
            authenticate(MACED._replace(signature=elsewhere), FUSED.enrol_mac())


def test_no_key_serves_for_the_other_algorithm() -> None:
    """Key confusion: what a message calls its algorithm never chooses how a key is used."""
    spoken = BOARD.public_key
    as_secret = hmac.digest(spoken, cose.mac0(MACED.protected, MACED.payload), "sha256")
    forged = MACED._replace(key_id=BOARD.key_id, signature=as_secret)
    for evidence, key in (
        (forged, BOARD.enrol()),
        (EVIDENCE._replace(key_id=FUSED.key_id), FUSED.enrol_mac()),
    ):
        with pytest.raises(Unsupported) as refused:
            authenticate(evidence, key)
        assert refused.value.code == "cose.algorithm"


def test_a_secret_is_not_shown_with_its_key() -> None:
    assert FUSED.secret.hex() not in repr(FUSED.enrol_mac())
    assert repr(FUSED.secret) not in repr(FUSED.enrol_mac())


def test_the_ring_derives_what_the_fuse_holds() -> None:
    ring = KeyRing(lambda: forge.MASTER)
    assert ring.secret(FUSED.mac) == FUSED.secret
    assert mac_key_id(FUSED.secret) == FUSED.key_id
    assert ring.secret(forge.MacDevice(4).mac) != FUSED.secret


R = int.from_bytes(EVIDENCE.signature[:32], "big")
S = int.from_bytes(EVIDENCE.signature[32:], "big")


@pytest.mark.parametrize("edge", [0, 1, N - 1, N, N + 1, 2**256 - 1])
def test_the_edges_of_r_and_s_are_bad_signatures(edge: int) -> None:
    for evidence in (signed(edge, S), signed(R, edge), signed(edge, edge)):
        with pytest.raises(BadSignature) as refused:
            authenticate(evidence, BOARD.enrol())
        assert refused.value.code == "sig.bad"


@pytest.mark.parametrize("size", [0, 63, 65, 72, 132])
def test_a_signature_has_exactly_64_bytes(size: int) -> None:
    padded = (EVIDENCE.signature + bytes(132))[:size]
    with pytest.raises(BadSignature, match="has 64"):
        authenticate(EVIDENCE._replace(signature=padded), BOARD.enrol())


def test_a_der_signature_is_no_cose_signature() -> None:
    der = BOARD.private_key.sign(
        cose.signature1(EVIDENCE.protected, EVIDENCE.payload), ec.ECDSA(forge.SHA256())
    )
    with pytest.raises(BadSignature):
        authenticate(EVIDENCE._replace(signature=der), BOARD.enrol())


def test_anybody_can_make_a_second_signature_so_signatures_identify_nothing() -> None:
    """(r, n - s) holds too: known, harmless as long as nobody de-duplicates by these bytes."""
    twin = signed(R, N - S)
    assert twin.signature != EVIDENCE.signature
    assert authenticate(twin, BOARD.enrol()) == authenticate(EVIDENCE, BOARD.enrol())


@pytest.mark.parametrize("context", ["Signature", "MAC0", "CounterSignature", "Signature2"])
def test_a_signature_made_for_another_purpose_does_not_hold(context: str) -> None:
    elsewhere = BOARD.sign(EVIDENCE.protected, EVIDENCE.payload, context)
    with pytest.raises(BadSignature):
        authenticate(EVIDENCE._replace(signature=elsewhere), BOARD.enrol())


@given(st.integers(1, N - 1), st.integers(1, N - 1))
def test_the_library_is_handed_the_signature_as_der(r: int, s: int) -> None:
    assert cose._der(r.to_bytes(32, "big") + s.to_bytes(32, "big")) == encode_dss_signature(r, s)


@pytest.mark.parametrize("r", [1, 127, 128, 255, 256, 2**247, 2**248 - 1, 2**255, N - 1])
def test_short_numbers_are_der_too(r: int) -> None:
    assert cose._der(r.to_bytes(32, "big") + b"\x80" * 32) == encode_dss_signature(
        r, int.from_bytes(b"\x80" * 32, "big")
    )


def test_every_signed_bit_counts() -> None:
    key = BOARD.enrol()
    for at in range(len(EVIDENCE.payload)):
        changed = bytearray(EVIDENCE.payload)
        changed[at] ^= 1
        with pytest.raises(BadSignature):
            authenticate(EVIDENCE._replace(payload=bytes(changed)), key)
