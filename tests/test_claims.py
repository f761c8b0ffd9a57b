"""What a device says: typed, bounded, from a closed list; absent is not the same as no."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import forge
from forge import DROP, cbor, nonce_of
from troth.core import claims, labels
from troth.core.claims import DeviceClaims, read_claims_set, read_token
from troth.core.errors import BadSignature, Malformed, Rejected
from troth.core.trust import VerifiedEvidence
from troth.formats import cbor as cbor_reader
from troth.formats import eat

BOARD = forge.Device(1)
NONCE = nonce_of(1)


def said_by(payload: bytes, board: forge.Device = BOARD) -> VerifiedEvidence:
    return VerifiedEvidence(board.enrol(), payload, None)


def test_a_token_is_read() -> None:
    token = read_token(said_by(BOARD.claims(NONCE, uptime=70_000, iat=1_790_000_000)))
    assert token.ueid == BOARD.ueid
    assert token.nonce == NONCE
    assert token.uptime_s == 70_000
    assert token.boot_count == 7
    assert token.set_digest == BOARD.set_digest()
    assert token.issued_at == 1_790_000_000


def test_a_device_without_a_clock_says_no_time() -> None:
    assert read_token(said_by(BOARD.claims(NONCE))).issued_at is None


@pytest.mark.parametrize("counter", [None, 1, 255, 2**32])
def test_the_counter_is_read_and_an_older_agent_has_none(counter: int | None) -> None:
    said = DROP if counter is None else counter
    assert read_token(said_by(BOARD.claims(NONCE, counter=said))).counter == counter


def test_the_signer_speaks_for_nobody_else() -> None:
    with pytest.raises(BadSignature) as refused:
        read_token(said_by(BOARD.claims(NONCE, ueid=forge.Device(2).ueid)))
    assert (refused.value.code, refused.value.path) == ("id.mismatch", "claims/ueid")


UINTS = st.sampled_from([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1])


@given(
    uptime=UINTS,
    boots=UINTS,
    iat=st.just(DROP) | st.integers(0, labels.MAX_TIME),
    counter=st.just(DROP) | UINTS,
)
def test_the_expected_form_and_the_general_way_agree(
    uptime: int, boots: int, iat: Any, counter: Any
) -> None:
    payload = BOARD.claims(NONCE, uptime=uptime, bootcount=boots, iat=iat, counter=counter)
    at_a_glance = claims._expected(payload)
    assert at_a_glance in (None, claims._general(payload))
    numbers = [n for n in (uptime, boots, iat, counter) if n is not DROP]
    assert at_a_glance is not None or max(numbers) >= 2**32


@given(st.data())
def test_what_the_expected_form_takes_the_general_way_takes_alike(data: st.DataObject) -> None:
    """A changed byte must never pass at a glance where the general way would refuse it."""
    payload = bytearray(BOARD.claims(NONCE, iat=1_790_000_000, counter=3))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    token = claims._expected(bytes(payload))
    if token is not None:
        assert token == claims._general(bytes(payload))


BAD_TOKENS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no nonce": ({"nonce": DROP}, "claim.missing", "claims/nonce"),
    "a nonce of 31 bytes": ({"nonce": bytes(31)}, "claim.range", "claims/nonce"),
    "a nonce of 33 bytes": ({"nonce": bytes(33)}, "claim.range", "claims/nonce"),
    "two nonces": ({"nonce": [NONCE, NONCE]}, "claim.type", "claims/nonce"),
    "a nonce as text": ({"nonce": "x" * 32}, "claim.type", "claims/nonce"),
    "no ueid": ({"ueid": DROP}, "claim.missing", "claims/ueid"),
    "a ueid of another kind": ({"ueid": b"\x01" + bytes(6)}, "claim.range", "claims/ueid"),
    "a ueid too short": ({"ueid": b"\x02" + bytes(5)}, "claim.range", "claims/ueid"),
    "a ueid too long": ({"ueid": b"\x02" + bytes(32)}, "claim.range", "claims/ueid"),
    "no uptime": ({"uptime": DROP}, "claim.missing", "claims/uptime_s"),
    "a negative uptime": ({"uptime": -1}, "claim.range", "claims/uptime_s"),
    "an uptime of true": ({"uptime": True}, "claim.type", "claims/uptime_s"),
    "an uptime as text": ({"uptime": "12"}, "claim.type", "claims/uptime_s"),
    "an uptime no store can hold": ({"uptime": 2**63}, "claim.range", "claims/uptime_s"),
    "a boot count of 2^64 - 1": ({"bootcount": 2**64 - 1}, "claim.range", "claims/boot_count"),
    "a boot seed of 7 bytes": ({"bootseed": bytes(7)}, "claim.range", "claims/boot_seed"),
    "a time after all calendars": ({"iat": 2**40}, "claim.range", "claims/issued_at"),
    "a time before 1970": ({"iat": -1}, "claim.range", "claims/issued_at"),
    "no profile": ({"profile": DROP}, "claim.missing", "claims/profile"),
    "another profile": ({"profile": b"\x69" * 20}, "profile.unsupported", "claims/profile"),
    "a profile by URI": ({"profile": "tag:x"}, "profile.unsupported", "claims/profile"),
    "no submods": ({"submods": DROP}, "claim.missing", "claims/set_digest"),
    "submods of nothing": ({"submods": {}}, "claim.type", "claims/set_digest"),
    "two submods": (
        {"submods": {"cfg": [-16, bytes(32)], "x": [-16, bytes(32)]}},
        "claim.type",
        "claims/set_digest",
    ),
    "SHA-1 of the set": (
        {"submods": {"cfg": [-14, bytes(20)]}},
        "claim.range",
        "claims/set_digest",
    ),
    "a digest too short": (
        {"submods": {"cfg": [-16, bytes(31)]}},
        "claim.range",
        "claims/set_digest",
    ),
    "an inline claims-set": ({"submods": {"cfg": {}}}, "claim.type", "claims/set_digest"),
    "an expiry": ({"extra": {4: 2_000_000_000}}, "claim.unknown", "claims"),
    "a key of its own (cnf)": ({"extra": {8: {}}}, "claim.unknown", "claims"),
    "a text label": ({"swname2": 1}, "claim.unknown", "claims"),
    "a negative counter": ({"counter": -1}, "claim.range", "claims/counter"),
    "a counter of true": ({"counter": True}, "claim.type", "claims/counter"),
    "a private claim in the token": ({"extra": {-80001: {}}}, "claim.unknown", "claims"),
}


@pytest.mark.parametrize("case", BAD_TOKENS)
def test_a_bad_token_is_refused_by_its_own_code(case: str) -> None:
    changes, code, path = BAD_TOKENS[case]
    payload = BOARD.claims(**({"nonce": NONCE} | changes))
    with pytest.raises(Malformed) as refused:
        read_token(said_by(payload))
    assert (refused.value.code, refused.value.path) == (code, path)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", "cbor.truncated"),
        (b"\x80", "cbor.type"),
        (b"\xa0\x00", "cbor.trailing"),
        (b"\xbf\xff", "cbor.indefinite"),
        (b"\xa0", "claim.missing"),
    ],
)
def test_a_payload_that_is_no_map_of_claims_is_refused(payload: bytes, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        read_token(said_by(payload))
    assert refused.value.code == code


def read_set(**changes: Any) -> DeviceClaims:
    return read_claims_set(BOARD.set(**changes), BOARD.set_digest(**changes)).claims


def test_a_claims_set_is_read_by_the_names_of_the_rules() -> None:
    claims_set = read_set()
    assert claims_set.oemid == "8945ad"
    assert claims_set.hwmodel == "THERM-1"
    assert claims_set.swversion == "1.4.2"
    assert claims_set.app_digest == forge.digest_of("app 1.4.2").hex()
    assert claims_set.secure_boot_digests == (forge.digest_of("maker boot key").hex(),)
    assert claims_set.fuses == BOARD.said["fuses"].hex()
    assert claims_set.webrepl_on is False


def test_what_was_not_said_is_none_and_an_empty_list_is_a_statement() -> None:
    assert read_set(secure_boot_digests=DROP).secure_boot_digests is None
    assert read_set(secure_boot_digests=[]).secure_boot_digests == ()


def test_every_claim_of_a_healthy_board_comes_through() -> None:
    for profile in ("P0", "P2"):
        board = forge.Device(3, profile=profile)
        read = read_claims_set(board.set(), board.set_digest()).claims
        for name in board.said:
            assert getattr(read, name) is not None, name


def test_every_field_of_the_claims_has_its_row_in_the_label_table() -> None:
    tables = (labels.SET_CLAIMS, labels.PRIVATE_CLAIMS, labels.DECLARED_CLAIMS)
    rows = {claim.name for table in tables for claim in table.values()}
    measured = {f"{name}_digest" for name in eat.COMPONENTS}
    assert {f.name for f in fields(DeviceClaims)} == rows - {"private", "measurements"} | measured


def test_what_is_declared_is_marked_and_yields_to_what_the_board_knows() -> None:
    said = {"wdt_on": True, "wifi_auth": "open", "update_auth": "tls-pinned"}
    both = read_set(declared=said, wifi_auth="wpa3", update_auth="secure-boot")
    assert (both.wdt_on, both.wifi_auth, both.update_auth) == (True, "wpa3", "secure-boot")
    assert both.declared == {"d.wdt_on"}
    alone = read_set(declared=said, wifi_auth=DROP, update_auth="none")
    assert (alone.wifi_auth, alone.update_auth) == ("open", "tls-pinned")
    assert alone.declared == {"d.wdt_on", "d.wifi_auth", "d.update_auth"}
    assert read_set().declared == frozenset()


def test_a_set_that_was_not_signed_is_refused() -> None:
    with pytest.raises(Malformed) as refused:
        read_claims_set(BOARD.set(webrepl_on=True), BOARD.set_digest())
    assert refused.value.code == "set.mismatch"


@pytest.mark.parametrize(
    ("oemid", "read"),
    [(bytes(3), "000000"), (b"\xab" * 16, "ab" * 16), (64242, "pen:64242")],
)
def test_the_three_kinds_of_oemid(oemid: object, read: str) -> None:
    assert read_set(oemid=oemid).oemid == read


def component(name: str = "app") -> list[object]:
    return [65001, cbor({1: [name], 2: [1, bytes(32)]})]


BAD_SETS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no model": ({"hwmodel": DROP}, "claim.missing", "set/hwmodel"),
    "no chip": ({"chip": DROP}, "claim.missing", "set/private/chip"),
    "another maker's chip": ({"chip": "stm32"}, "claim.range", "set/private/chip"),
    "an oemid of 4 bytes": ({"oemid": bytes(4)}, "claim.range", "set/oemid"),
    "an oemid of true": ({"oemid": True}, "claim.type", "set/oemid"),
    "a negative enterprise number": ({"oemid": -1}, "claim.range", "set/oemid"),
    "an empty model": ({"hwmodel": b""}, "claim.range", "set/hwmodel"),
    "a model of 33 bytes": ({"hwmodel": b"x" * 33}, "claim.range", "set/hwmodel"),
    "a model as text": ({"hwmodel": "THERM-1"}, "claim.type", "set/hwmodel"),
    "a model that is not UTF-8": ({"hwmodel": b"\xff"}, "claim.range", "set/hwmodel"),
    "a name with a line break": ({"swname": "a\nb"}, "claim.range", "set/swname"),
    "a name with an escape": ({"swname": "a\x1b[2J"}, "claim.range", "set/swname"),
    "a name written backwards": ({"swname": "a\u202eb"}, "claim.range", "set/swname"),
    "a name with a zero-width space": ({"swname": "a\u200bb"}, "claim.range", "set/swname"),
    "a name of 65 bytes": ({"swname": "x" * 65}, "claim.range", "set/swname"),
    "a version with a scheme": ({"swversion": ["1.0", 1]}, "claim.range", "set/swversion"),
    "a version as text": ({"swversion": "1.0"}, "claim.type", "set/swversion"),
    "a debug status of 5": ({"dbgstat": 5}, "claim.range", "set/dbgstat"),
    "a debug status of true": ({"dbgstat": True}, "claim.type", "set/dbgstat"),
    "a flag of 1": ({"webrepl_on": 1}, "claim.type", "set/private/webrepl_on"),
    "a flag of null": ({"webrepl_on": None}, "claim.type", "set/private/webrepl_on"),
    "a word of another claim": ({"jtag": "release"}, "claim.range", "set/private/jtag"),
    "a look-alike word": ({"repl": "s\u0435aled"}, "claim.range", "set/private/repl"),
    "a number of 2^63": ({"plain_secrets": 2**63}, "claim.range", "set/private/plain_secrets"),
    "a digest of 20 bytes": ({"cfg_digest": bytes(20)}, "claim.range", "set/private/cfg_digest"),
    "four boot keys": (
        {"secure_boot_digests": [bytes(32)] * 4},
        "claim.range",
        "set/private/secure_boot_digests",
    ),
    "fuses of 65 bytes": ({"fuses": bytes(65)}, "claim.range", "set/private/fuses"),
    "no measurements": ({"measurements": []}, "claim.range", "set/measurements"),
    "nine measurements": ({"measurements": [component()] * 9}, "claim.range", "set/measurements"),
    "a component twice": (
        {"measurements": [component(), component()]},
        "claim.range",
        "set/measurements/1",
    ),
    "an unknown component": (
        {"measurements": [component("wifi")]},
        "claim.range",
        "set/measurements/0",
    ),
    "a component with a tail": (
        {"measurements": [[65001, cbor({1: ["app"], 2: [1, bytes(32)]}) + b"\0"]]},
        "cbor.trailing",
        "set/measurements/0",
    ),
    "a component that is no map": (
        {"measurements": [[65001, b"\x01"]]},
        "cbor.type",
        "set/measurements/0",
    ),
    "a component of another format": (
        {"measurements": [[60, cbor({})]]},
        "claim.range",
        "set/measurements/0",
    ),
    "a component's digest by SHA-512": (
        {"measurements": [[65001, cbor({1: ["app"], 2: [3, bytes(64)]})]]},
        "claim.range",
        "set/measurements/0",
    ),
    "a component with flags": (
        {"measurements": [[65001, cbor({1: ["app"], 2: [1, bytes(32)], 4: bytes(8)})]]},
        "claim.unknown",
        "set/measurements/0",
    ),
}


@pytest.mark.parametrize("case", BAD_SETS)
def test_a_bad_claims_set_is_refused_by_its_own_code(case: str) -> None:
    changes, code, path = BAD_SETS[case]
    with pytest.raises(Malformed) as refused:
        read_set(**changes)
    assert (refused.value.code, refused.value.path) == (code, path)


@pytest.mark.parametrize("label", [256, 999, -80000, "ueid"])
def test_an_unknown_label_is_refused(label: Any) -> None:
    """Nothing that names the device, and nothing that the rules would not see, rides along."""
    raw = forge.claims_set({**BOARD.said, label: b"x"})
    with pytest.raises(Malformed) as refused:
        read_claims_set(raw, forge.hashlib.sha256(raw).digest())
    assert refused.value.code == "claim.unknown"


@pytest.mark.parametrize(
    ("said", "path"),
    [({99: True}, "set/private"), ({30: {99: True}}, "set/private/declared")],
)
def test_an_unknown_private_label_is_refused(said: dict[int, Any], path: str) -> None:
    raw = cbor(cbor_reader.read(BOARD.set()) | {-80001: {1: "esp32"} | said})
    with pytest.raises(Malformed) as refused:
        read_claims_set(raw, forge.hashlib.sha256(raw).digest())
    assert (refused.value.code, refused.value.path) == ("claim.unknown", path)


@given(st.binary(max_size=64))
def test_a_claims_set_of_noise_is_refused(raw: bytes) -> None:
    with pytest.raises(Rejected):
        read_claims_set(raw, forge.hashlib.sha256(raw).digest())


def test_a_payload_cut_anywhere_is_refused_even_when_signed() -> None:
    payload = BOARD.claims(NONCE, iat=1_790_000_000)
    for end in range(len(payload)):
        with pytest.raises(Malformed) as refused:
            read_token(said_by(payload[:end]))
        assert refused.value.code == "cbor.truncated", end


def test_a_set_cut_anywhere_is_refused_even_when_signed() -> None:
    raw = BOARD.set()
    for end in range(len(raw)):
        with pytest.raises(Malformed) as refused:
            read_claims_set(raw[:end], forge.hashlib.sha256(raw[:end]).digest())
        assert refused.value.code == "cbor.truncated", end
