"""One file says what the bytes are: the verifier's tables and the forge are held against it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pycddl
import pytest

import forge
from forge import DROP, nonce_of
from troth.core.claims import read_claims_set, read_token
from troth.core.errors import Malformed
from troth.core.evidence import parse_evidence
from troth.core.labels import (
    DECLARED_CLAIMS,
    PRIVATE_CLAIMS,
    SET_CLAIMS,
    TOKEN_CLAIMS,
    Claim,
)
from troth.core.trust import VerifiedEvidence
from troth.formats import eat

CDDL = (Path(__file__).parents[1] / "host/troth/formats/troth.cddl").read_text()
BOARD = forge.Device(1)


def rule(name: str) -> str:
    """The text of one rule, without comments."""
    bare = re.sub(r";.*", "", CDDL)
    found = re.search(rf"^{re.escape(name)} = (.*?)(?=^\S+ = |\Z)", bare, re.M | re.S)
    assert found, name
    return found[1]


def words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r'"([^"]*)"', text))


def labels(name: str) -> dict[int, bool]:
    """Label -> whether it must be said."""
    rows = re.findall(r"^\s*(\?\s*)?(-?\d+) =>", rule(name), re.M)
    return {int(label): not optional for optional, label in rows}


def rows_of(rule_name: str) -> dict[int, tuple[str, str]]:
    """Label -> (name in its comment, type) of every row of a map."""
    text = CDDL[CDDL.index(f"{rule_name} = {{") :]
    text = text[: text.index("\n}")]
    rows = re.findall(r"^\s*\??\s*(\d+) => (.*?),?\s*(?:; (\w+).*)?$", text, re.M)
    return {int(label): (name or kind, kind.rstrip(", ")) for label, kind, name in rows}


def test_the_token_has_the_labels_of_the_cddl() -> None:
    ours = {label: claim.required for label, claim in TOKEN_CLAIMS.items()}
    assert ours == labels("token-claims")


def test_the_claims_set_has_the_labels_of_the_cddl() -> None:
    ours = {label: claim.required for label, claim in SET_CLAIMS.items()}
    assert ours == labels("claims-set") | {eat.PRIVATE: True}
    assert rule("private-label").strip() == str(eat.PRIVATE)


def test_the_private_map_has_the_labels_and_names_of_the_cddl() -> None:
    assert table_of(PRIVATE_CLAIMS) == table_in("private-claims")
    assert {name: n for n, (name, _) in rows_of("private-claims").items()} == forge.PRIVATE_LABELS


def test_the_declared_map_has_the_labels_and_names_of_the_cddl() -> None:
    assert table_of(DECLARED_CLAIMS) == table_in("declared-claims")
    assert {n: name for name, n in forge.DECLARED_LABELS.items()} == {
        n: name for n, (name, _) in rows_of("declared-claims").items()
    }


def table_of(claims: Mapping[int, Claim]) -> dict[int, tuple[str, bool]]:
    return {label: (claim.name, claim.required) for label, claim in claims.items()}


def table_in(name: str) -> dict[int, tuple[str, bool]]:
    required = labels(name)
    return {label: (said, required[label]) for label, (said, _) in rows_of(name).items()}


CLOSED = {
    "chip": eat.CHIPS,
    "flash_enc_mode": eat.FLASH_ENC_MODES,
    "jtag": eat.JTAG,
    "dl_mode": eat.DL_MODES,
    "update_auth": eat.UPDATE_AUTH,
    "ota_state": eat.OTA_STATES,
    "fallback_slot": eat.FALLBACK_SLOTS,
    "repl": eat.REPL,
    "ap_auth": eat.WIFI_AUTH,
    "wifi_auth": eat.WIFI_AUTH,
    "own_link_scheme": eat.LINK_SCHEMES,
    "own_tls_version": eat.TLS_VERSIONS,
}
CLOSED_DECLARED = {
    "password_state": eat.PASSWORD_STATES,
    "lockout": eat.LOCKOUTS,
    "service_auth": eat.SERVICE_AUTH,
    "tls_min": eat.TLS_VERSIONS,
    "wifi_auth": eat.WIFI_AUTH,
    "ble_pairing": eat.BLE_PAIRING,
    "update_auth": eat.DECLARED_UPDATE_AUTH,
}


@pytest.mark.parametrize(
    ("map_name", "name", "wanted"),
    [
        *(("private-claims", *row) for row in CLOSED.items()),
        *(("declared-claims", *row) for row in CLOSED_DECLARED.items()),
    ],
)
def test_its_closed_words_are_those_of_the_cddl(
    map_name: str, name: str, wanted: tuple[str, ...]
) -> None:
    kind = next(kind for said, kind in rows_of(map_name).values() if said == name)
    text = kind if '"' in kind else rule(kind)
    assert words(text) == wanted


def test_every_closed_word_of_the_maps_is_compared() -> None:
    for name, closed in (("private-claims", CLOSED), ("declared-claims", CLOSED_DECLARED)):
        kinds = dict(rows_of(name).values())
        texts = {said for said, kind in kinds.items() if '"' in kind or "wifi-auth" in kind}
        assert texts == set(closed) - {"chip"}


def test_the_components_are_those_of_the_cddl() -> None:
    assert words(rule("component-name")) == eat.COMPONENTS


def test_the_constants_are_those_of_the_cddl() -> None:
    header = rule("protected-header")
    assert f"{eat.ALG} => {eat.ES256}" in header
    assert f"{eat.KID} => bstr .size {eat.KEY_ID_BYTES}" in header
    assert f"{eat.TYP} => {eat.CONTENT_FORMAT}" in header
    maced = rule("mac-header")
    assert f"{eat.ALG} => {eat.HMAC_256}" in maced
    assert f"{eat.KID} => bstr .size {eat.KEY_ID_BYTES}" in maced
    assert f"{eat.TYP} => {eat.CONTENT_FORMAT}" in maced
    assert f"#6.{eat.SIGN1}(" in rule("signed")
    assert f"#6.{eat.MAC0}(" in rule("maced")
    assert f"h'{eat.PROFILE.hex()}'" in rule("token-claims")
    assert f"#6.{eat.BUNDLE}(" in rule("bundle")
    assert f"[{eat.MEASURED_COMPONENT}, bstr" in rule("measurement")


def test_the_profile_is_the_uuid_of_its_comment() -> None:
    """ITU-T X.667: 2.25.<uuid>, as the content bytes of a BER object identifier."""
    arc = int(re.findall(r"2\.25\.(\d+)", CDDL)[-1])
    groups = [arc >> 7 * n & 127 for n in range(-(-arc.bit_length() // 7))][::-1]
    assert bytes([2 * 40 + 25, *(g | 128 for g in groups[:-1]), groups[-1]]) == eat.PROFILE


def schema(start: str) -> pycddl.Schema:
    """The rule `start`; what is embedded as a byte string is validated by its own rule.

    pycddl 0.6 panics on a bare byte-string literal and mixes up `.cbor` within arrays.
    """
    text = re.sub(r"=> (h'[0-9a-f]+')", r"=> bstr .eq \1", CDDL)
    text = re.sub(r"bstr \.cbor [\w-]+", "bstr", text)
    return pycddl.Schema(f"start = {start}\n{text}")


@pytest.mark.parametrize("profile", ["P0", "P2"])
def test_an_honest_message_is_valid_by_the_cddl(profile: str) -> None:
    board = forge.Device(5, profile=profile)
    token, bundle = board.token(nonce_of(1)), board.bundle(nonce_of(1))
    schema("evidence").validate_cbor(token)
    schema("evidence").validate_cbor(bundle)
    evidence = parse_evidence(bundle)
    schema("cwt").validate_cbor(b"\xd8\x3d" + token)
    schema("protected-header").validate_cbor(evidence.protected)
    schema("token-claims").validate_cbor(evidence.payload)
    schema("claims-set").validate_cbor(evidence.claims_set)
    for name in eat.COMPONENTS:
        schema("measured-component").validate_cbor(forge.measurement(name, bytes(32))[1])


def test_a_message_under_a_fuse_key_is_valid_by_the_cddl() -> None:
    board = forge.MacDevice(5)
    schema("evidence").validate_cbor(board.token(nonce_of(1)))
    schema("evidence").validate_cbor(board.bundle(nonce_of(1)))
    schema("mac-header").validate_cbor(parse_evidence(board.token(nonce_of(1))).protected)


@pytest.mark.parametrize(
    "changes",
    [{"uptime": -1}, {"nonce": bytes(31)}, {"ueid": bytes(6)}, {"bootseed": DROP}, {"iat": "now"}],
    ids=lambda changes: "-".join(changes),
)
def test_a_token_that_the_cddl_refuses_the_reader_refuses(changes: dict[str, object]) -> None:
    payload = BOARD.claims(**({"nonce": nonce_of(1)} | changes))
    with pytest.raises(pycddl.ValidationError):
        schema("token-claims").validate_cbor(payload)
    with pytest.raises(Malformed):
        read_token(VerifiedEvidence(BOARD.enrol(), payload, None))


@pytest.mark.parametrize(
    "changes",
    [
        {"jtag": "no"},
        {"webrepl_on": 1},
        {"chip": "avr"},
        {"cfg_digest": b""},
        {"hwmodel": b""},
        {"dbgstat": 5},
        {"swname": ""},
        {"measurements": []},
        {"fuses": bytes(65)},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_set_that_the_cddl_refuses_the_reader_refuses(changes: dict[str, object]) -> None:
    raw = BOARD.set(**changes)
    with pytest.raises(pycddl.ValidationError):
        schema("claims-set").validate_cbor(raw)
    with pytest.raises(Malformed):
        read_claims_set(raw, forge.hashlib.sha256(raw).digest())
