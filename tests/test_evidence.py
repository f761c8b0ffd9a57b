"""The envelope: two forms and no third; each fault by its own code."""

from __future__ import annotations

import pytest

import forge
from forge import Raw, Tag, cbor, nonce_of, wrap
from troth.core.errors import Malformed, Rejected
from troth.core.evidence import MAX_BYTES, parse_evidence

BOARD = forge.Device(1)
NONCE = nonce_of(1)
PAYLOAD = BOARD.claims(NONCE)
TOKEN = BOARD.token(NONCE)
BUNDLE = BOARD.bundle(NONCE)
FUSED = forge.MacDevice(2)
MACED, MACED_BUNDLE = FUSED.token(NONCE), FUSED.bundle(NONCE)
ALL = [TOKEN, BUNDLE, MACED, MACED_BUNDLE]
IDS = ["token", "bundle", "mac token", "mac bundle"]


def envelope(**changes: object) -> bytes:
    return cbor(BOARD.envelope(PAYLOAD, **changes))


def header(*drop: int, **add: object) -> dict[object, object]:
    said: dict[object, object] = {1: -7, 4: BOARD.key_id, 16: 263}
    return {k: v for k, v in (said | add).items() if k not in drop}


def test_the_bare_token_is_read() -> None:
    evidence = parse_evidence(TOKEN)
    assert evidence.key_id == BOARD.key_id
    assert evidence.algorithm == -7
    assert evidence.payload == PAYLOAD
    assert evidence.protected == cbor(header())
    assert evidence.signature == TOKEN[-64:]
    assert evidence.claims_set is None


def test_the_bundle_carries_the_same_signed_bytes_and_the_set() -> None:
    bare, bundled = parse_evidence(TOKEN), parse_evidence(BUNDLE)
    assert bundled.claims_set == BOARD.set()
    assert (bundled.protected, bundled.payload) == (bare.protected, bare.payload)
    assert bundled.signature == bare.signature


def test_a_mac_is_read_as_strictly_as_a_signature() -> None:
    bare, bundled = parse_evidence(MACED), parse_evidence(MACED_BUNDLE)
    assert (bare.algorithm, bare.key_id, len(bare.signature)) == (5, FUSED.key_id, 32)
    assert bare.payload == FUSED.claims(NONCE)
    assert bundled == bare._replace(claims_set=FUSED.set())


@pytest.mark.parametrize(
    ("tag", "algorithm"), [(17, -7), (18, 5), (17, 4), (17, 6), (17, 0), (17, "HS256")]
)
def test_the_algorithm_belongs_to_the_tag(tag: int, algorithm: int | str) -> None:
    """A cut tag (HMAC 256/64 is 4), another hash, or the other form's algorithm: none of ours."""
    said = {1: algorithm, 4: FUSED.key_id, 16: 263}
    for raw in (token := cbor(FUSED.envelope(PAYLOAD, header=said, tag=tag)), wrap(token, b"")):
        with pytest.raises(Malformed) as refused:
            parse_evidence(raw)
        assert (refused.value.code, refused.value.path) == ("cose.algorithm", "protected/alg")


def test_both_forms_are_as_small_as_promised() -> None:
    assert len(TOKEN) <= 240
    assert len(BUNDLE) <= 2048


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 4000])
def test_a_payload_of_any_size_is_found(size: int) -> None:
    payload = bytes(size)
    token = cbor(BOARD.envelope(payload))
    assert parse_evidence(token).payload == payload
    assert parse_evidence(wrap(token, bytes(size))).claims_set == bytes(size)


@pytest.mark.parametrize("size", [0, 63, 65, 72, 132])
def test_a_signature_of_the_wrong_length_is_for_the_signer_to_answer_for(size: int) -> None:
    assert len(parse_evidence(envelope(signature=bytes(size))).signature) == size


OTHER_TAGS = [16, 96, 97, 98, 61, 601]
KID = BOARD.key_id
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "cbor.truncated"),
    "one byte over the limit": (bytes(MAX_BYTES + 1), "size.limit"),
    "an indefinite bomb": (b"\x5f" + b"\x41\x61" * 1_000_000, "size.limit"),
    "a byte left over": (TOKEN + b"\x00", "cbor.trailing"),
    "two tokens": (TOKEN + TOKEN, "cbor.trailing"),
    "two bundles": (BUNDLE + BUNDLE, "cbor.trailing"),
    "no tag": (TOKEN[1:], "cose.structure"),
    "a token within a token": (cbor(Tag(18, Raw(TOKEN))), "cose.structure"),
    "a bare token tagged as a CWT": (cbor(Tag(61, Raw(TOKEN))), "cose.structure"),
    "the tag in a long head": (b"\xd8\x12" + TOKEN[1:], "cbor.noncanonical"),
    "an indefinite array of four": (b"\xd2\x9f" + TOKEN[2:] + b"\xff", "cbor.indefinite"),
    "three parts": (cbor(Tag(18, [b"", {}, PAYLOAD])), "cose.structure"),
    "five parts": (cbor(Tag(18, [b"", {}, PAYLOAD, b"", b""])), "cose.structure"),
    "a map instead of parts": (cbor(Tag(18, {})), "cose.structure"),
    "a protected header that is a map": (envelope(protected=header()), "cose.structure"),
    "no protected header": (envelope(protected=b""), "cose.header"),
    "an empty map as protected header": (envelope(protected=b"\xa0"), "cose.header"),
    "a protected header that is a number": (envelope(protected=b"\x01"), "cose.structure"),
    "a protected header with a tail": (envelope(protected=cbor(header()) + b"\0"), "cbor.trailing"),
    "headers in the wrong order": (
        envelope(protected=b"\xa3\x04\x48" + KID + bytes.fromhex("01261019" + "0107")),
        "cbor.noncanonical",
    ),
    "the algorithm in a long head": (
        envelope(protected=b"\xa3\x01\x38\x06\x04\x48" + KID + bytes.fromhex("10190107")),
        "cbor.noncanonical",
    ),
    "alg twice": (
        envelope(protected=b"\xa4\x01\x26\x01\x26\x04\x48" + KID + bytes.fromhex("10190107")),
        "cbor.duplicate",
    ),
    "an unprotected header": (envelope(unprotected={4: KID}), "cose.header"),
    "alg missing": (envelope(header=header(1)), "cose.header"),
    "alg unprotected only": (envelope(header=header(1), unprotected={1: -7}), "cose.header"),
    "alg in both headers": (envelope(unprotected={1: -7}), "cose.header"),
    "no algorithm at all (0)": (envelope(header=header() | {1: 0}), "cose.algorithm"),
    "an unknown algorithm": (envelope(header=header() | {1: -999}), "cose.algorithm"),
    "an algorithm by name": (envelope(header=header() | {1: "ES256"}), "cose.algorithm"),
    "EdDSA": (envelope(header=header() | {1: -8}), "cose.algorithm"),
    "HMAC": (envelope(header=header() | {1: 5}), "cose.algorithm"),
    "an algorithm that is a float": (
        envelope(protected=bytes.fromhex("a301f9c7000448") + KID + bytes.fromhex("10190107")),
        "cbor.type",
    ),
    "kid missing": (envelope(header=header(4)), "cose.header"),
    "kid unprotected only": (envelope(header=header(4), unprotected={4: KID}), "cose.header"),
    "kid empty": (envelope(header=header() | {4: b""}), "cose.header"),
    "kid of 4 KiB": (envelope(header=header() | {4: bytes(4096)}), "cose.header"),
    "kid as text": (envelope(header=header() | {4: "12345678"}), "cose.header"),
    "typ missing": (envelope(header=header(16)), "cose.header"),
    "typ of something else": (envelope(header=header() | {16: 61}), "cose.header"),
    "a critical header": (envelope(header=header() | {2: [1]}), "cose.header"),
    "crit unprotected": (envelope(unprotected={2: [1]}), "cose.header"),
    "a certificate chain": (envelope(header=header() | {33: b"der"}), "cose.header"),
    "a certificate by address": (envelope(header=header() | {35: "http://a"}), "cose.header"),
    "an attacker's chain, unprotected": (envelope(unprotected={33: b"der"}), "cose.header"),
    "a detached payload": (
        cbor(Tag(18, [cbor(header()), {}, None, bytes(64)])),
        "cose.structure",
    ),
    "a payload that is a map": (
        cbor(Tag(18, [cbor(header()), {}, {}, bytes(64)])),
        "cose.structure",
    ),
    "a signature that is text": (cbor(Tag(18, [cbor(header()), {}, b"", "s"])), "cose.structure"),
    "a bundle of nothing": (cbor(Tag(602, [])), "cose.structure"),
    "a bundle without the CWT tag": (cbor(Tag(602, [TOKEN, {"cfg": b""}])), "cose.structure"),
    "a bundle of a plain token": (
        cbor(Tag(602, [Tag(61, Raw(TOKEN)), {"cfg": b""}])),
        "cose.structure",
    ),
    "a bundle of a bundle": (wrap(BUNDLE, b""), "cose.structure"),
    "a CWT within a CWT": (wrap(cbor(Tag(61, Raw(TOKEN))), b""), "cose.structure"),
    "a bundle without sets": (cbor(Tag(602, [cbor(Tag(61, Raw(TOKEN))), {}])), "cose.structure"),
    "a bundle with another set": (
        cbor(Tag(602, [cbor(Tag(61, Raw(TOKEN))), {"app": b""}])),
        "cose.structure",
    ),
    "a bundle with two sets": (
        cbor(Tag(602, [cbor(Tag(61, Raw(TOKEN))), {"cfg": b"", "app": b""}])),
        "cose.structure",
    ),
    "a bundle whose set is text": (
        cbor(Tag(602, [cbor(Tag(61, Raw(TOKEN))), {"cfg": ""}])),
        "cose.structure",
    ),
    "a bundle with a tail inside": (wrap(TOKEN + b"\x00", b""), "cbor.trailing"),
    "a set in a long head": (
        BUNDLE[: -len(BOARD.set()) - 3] + b"\x5a\x00\x00" + BUNDLE[-len(BOARD.set()) - 2 :],
        "cbor.noncanonical",
    ),
    "a cycle": (bytes.fromhex("d81c81d81d00"), "cbor.tag"),
    "JSON": (b'{"eat_nonce": "AAAA"}', "cbor.truncated"),
    "a JWT": (b"eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "cbor.trailing"),
    "all zeros": (bytes(200), "cbor.trailing"),
    "a map nested four hundred deep": (b"\xa1\x00" * 400 + b"\x00", "cbor.depth"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_its_own_code(case: str) -> None:
    raw, code = REFUSED[case]
    with pytest.raises(Malformed) as refused:
        parse_evidence(raw)
    assert refused.value.code == code
    assert refused.value.path


@pytest.mark.parametrize("tag", OTHER_TAGS)
def test_another_cose_type_is_refused_even_when_it_would_verify(tag: int) -> None:
    with pytest.raises(Malformed) as refused:
        parse_evidence(envelope(tag=tag))
    assert refused.value.code == "cose.structure"


@pytest.mark.parametrize("raw", ALL, ids=IDS)
def test_cut_anywhere_it_is_truncated(raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(Malformed) as refused:
            parse_evidence(raw[:end])
        assert refused.value.code == "cbor.truncated", end


@pytest.mark.parametrize("raw", ALL, ids=IDS)
def test_no_envelope_has_a_second_spelling(raw: bytes) -> None:
    """A changed byte either changes a part or is refused: no other bytes say the same."""
    original = parse_evidence(raw)
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        try:
            evidence = parse_evidence(bytes(changed))
        except Rejected:
            continue
        assert evidence != original, at
