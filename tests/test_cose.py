"""Peers' signatures: the COSE working group's outcome for each ES256 vector, and our own."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import forge
from forge import Tag, cbor
from troth.core.errors import BadSignature, Malformed, Rejected
from troth.core.evidence import parse_evidence
from troth.formats import cose

PEERS = Path(__file__).parents[1] / "../shared/vectors/cose-wg-Examples"
needs_peers = pytest.mark.skipif(
    not PEERS.exists(), reason="the COSE working group's examples are not beside this checkout"
)
BOARD = forge.Device(1)
KEY = BOARD.private_key.public_key()


def message(vector: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a vector that says how it was signed; None when not with ES256."""
    made = vector["input"]
    signers = made["sign"]["signers"] if "sign" in made else [made.get("sign0", {})]
    for signer in signers:
        if "ES256" in json.dumps(signer) and signer.get("key", {}).get("crv") == "P-256":
            return dict(signer)
    return None


def vectors() -> list[Path]:
    """Every ES256 message of the working group that is beside this checkout."""
    files = sorted(PEERS.glob("*/*.json")) if PEERS.exists() else []
    return [file for file in files if message(json.loads(file.read_text()))]


def public_key(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    def number(name: str) -> int:
        if f"{name}_hex" in jwk:
            return int(jwk[f"{name}_hex"], 16)
        return int.from_bytes(base64.urlsafe_b64decode(jwk[name] + "=="), "big")

    return ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP256R1()).public_key()


@needs_peers
def test_the_working_group_has_no_less_than_these_vectors() -> None:
    names = {file.stem for file in vectors()}
    assert {f"sign-fail-0{n}" for n in (1, 2, 3, 4, 6, 7)} <= names
    assert {"sign-pass-01", "sign-pass-02", "sign-pass-03", "ecdsa-01", "ecdsa-sig-01"} <= names
    assert {"Appendix_C_1_1", "Appendix_C_1_3", "Appendix_C_1_4", "Appendix_C_2_1", "A_3"} <= names


@pytest.mark.parametrize("file", vectors(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_the_outcome_is_the_working_groups(file: Path) -> None:
    vector = json.loads(file.read_text())
    signer = message(vector)
    assert signer is not None
    raw = bytes.fromhex(vector["output"]["cbor"])
    # RFC 8152 C.1.4 shows `crit` on a label of its own making: its reader is told to know it
    known = frozenset(["reserved"]) if file.stem == "Appendix_C_1_4" else frozenset[str]()
    aad = bytes.fromhex(signer.get("external", vector["input"].get("external", "")))
    if vector.get("fail"):
        with pytest.raises(Rejected):
            cose.verify(raw, public_key(signer["key"]), external_aad=aad)
        return
    signed = cose.verify(raw, public_key(signer["key"]), external_aad=aad, understood=known)
    text = vector["input"].get("plaintext")
    assert text is None or signed.payload == text.encode()


@pytest.mark.parametrize("file", vectors(), ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_our_evidence_profile_refuses_every_one_of_them(file: Path) -> None:
    vector = json.loads(file.read_text())
    with pytest.raises(Malformed) as refused:
        parse_evidence(bytes.fromhex(vector["output"]["cbor"]))
    expected = {
        "sign-pass-01": "cose.header",  # empty protected header
        "sign-fail-01": "cbor.tag",
        "sign-fail-03": "cose.algorithm",
        "sign-fail-04": "cose.algorithm",
    }
    tagged_sign1 = vector["output"]["cbor"].upper().startswith("D2")
    usual = "cose.header" if tagged_sign1 else "cose.structure"
    assert refused.value.code == expected.get(file.stem, usual)


def envelope(**changes: Any) -> bytes:
    return cbor(BOARD.envelope(b"payload", **changes))


def test_our_own_token_is_a_message_that_peers_can_verify() -> None:
    signed = cose.verify(envelope(), KEY)
    assert signed.payload == b"payload"
    assert signed.protected == {1: -7, 4: BOARD.key_id, 16: 263}


@pytest.mark.parametrize("protected", [b"", b"\xa0"])
def test_an_empty_protected_header_has_one_meaning(protected: bytes) -> None:
    signature = BOARD.sign(b"", b"payload")
    raw = envelope(protected=protected, unprotected={1: -7}, signature=signature)
    assert cose.verify(raw, KEY).protected == {}


REFUSED = {
    "alg missing": (envelope(header={4: b"k"}), "cose.algorithm"),
    "alg in both headers": (envelope(unprotected={1: -7}), "cose.header"),
    "alg as a float": (envelope(protected=bytes.fromhex("a101f9c700")), "cbor.type"),
    "alg of another kind": (envelope(header={1: -8}), "cose.algorithm"),
    "an unknown critical label": (envelope(header={1: -7, 2: [99], 99: 1}), "cose.header"),
    "an absent critical label": (envelope(header={1: -7, 2: [99]}), "cose.header"),
    "crit of nothing": (envelope(header={1: -7, 2: []}), "cose.header"),
    "crit that is no array": (envelope(header={1: -7, 2: 1}), "cose.header"),
    "crit of arrays": (envelope(header={1: -7, 2: [[1]]}), "cose.header"),
    "crit unprotected": (envelope(unprotected={2: [1]}), "cose.header"),
    "a protected header that is a number": (envelope(protected=b"\x01"), "cose.structure"),
    "a protected header that is a map": (envelope(protected={}, signature=b""), "cose.structure"),
    "a detached payload": (
        cbor(Tag(18, [b"", {1: -7}, None, bytes(64)])),
        "cose.structure",
    ),
    "a MAC": (envelope(tag=17), "cbor.tag"),
    "a signature as text": (cbor(Tag(18, [b"", {1: -7}, b"", "s"])), "cose.structure"),
    "a short signature": (envelope(signature=bytes(63)), "sig.bad"),
    "signers that are none": (cbor(Tag(98, [b"", {}, b"", []])), "cose.structure"),
    "signers that are no array": (cbor(Tag(98, [b"", {}, b"", b""])), "cose.structure"),
    "a signer of two parts": (cbor(Tag(98, [b"", {}, b"", [[b"", {}]]])), "cose.structure"),
    "a signer with a bad signature": (
        cbor(Tag(98, [b"", {}, b"", [[b"", {1: -7}, bytes(64)]]])),
        "sig.bad",
    ),
    "two parts": (cbor([b"", {}]), "cose.structure"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_peers_message_is_refused_by_its_own_code(case: str) -> None:
    raw, code = REFUSED[case]
    with pytest.raises(Rejected) as refused:
        cose.verify(raw, KEY)
    assert refused.value.code == code


def test_external_data_is_signed_too() -> None:
    with pytest.raises(BadSignature):
        cose.verify(envelope(), KEY, external_aad=b"x")


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65535])
def test_byte_strings_have_the_shortest_head(size: int) -> None:
    assert cose.bstr(bytes(size)) == cbor(bytes(size))


def test_the_structure_to_be_signed_is_that_of_the_rfc() -> None:
    assert cose.signature1(b"\xa1\x01\x26", b"p", b"a") == cbor(
        ["Signature1", b"\xa1\x01\x26", b"a", b"p"]
    )
