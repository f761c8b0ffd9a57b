"""Evidence as the agent makes it, read by nobody but independent readers."""

import hashlib
import re
from pathlib import Path
from typing import Any

import cbor2
import pycddl
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from agent_support import AGENT, LABELS, labelled
from troth_agent import attest, claims, cose, p256_public
from troth_agent.keys.soft import SoftKey

CDDL = Path(__file__).parents[1] / "host/troth/formats/troth.cddl"
PRIVATE = bytes(range(1, 33))
NONCE = bytes(range(32))
SESSION = {256: b"\2\x24\x0a\xc4\0\0\1", 261: 7, 267: 3, 268: bytes(8), -80002: 9}
LEAST: dict[str, Any] = {
    "oemid": b"\x0a\x1b\x2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "chip": "esp32c3",
    "app_digest": b"\1" * 32,
    "code_digest": b"\2" * 32,
}
FULL = LEAST | {
    "oemboot": True,
    "dbgstat": 3,
    "agent_digest": b"\3" * 32,
    "secure_boot": True,
    "secure_boot_digests": [b"\4" * 32, b"\5" * 32, b"\6" * 32],
    "key_slots_free": 0,
    "flash_enc": True,
    "flash_enc_mode": "development",
    "jtag": "protected",
    "dl_mode": "disabled",
    "updatable": True,
    "update_auth": "secure-boot",
    "ota_state": "undefined",
    "fallback_slot": "empty-fresh",
    "secver_fuse": 16,
    "app_secver": 16,
    "webrepl_on": False,
    "repl": "sealed",
    "ap_on": True,
    "ap_auth": "wpa2-wpa3-ent",
    "wifi_joined": True,
    "wifi_auth": "wpa2-wpa3-ent",
    "own_link_scheme": "https",
    "own_link_verified": True,
    "own_tls_version": "1.3",
    "own_link_anchor": b"\7" * 32,
    "nvs_enc": True,
    "plain_secrets": 0,
    "key_blocks_readable": 0,
    "cfg_digest": b"\x08" * 32,
    "fuses": b"\x09" * 20,
    "elf_digest": b"\x0a" * 32,
    "app_intact": True,
    "app_signers": [b"\x0b" * 32, b"\x0c" * 32, b"\x0d" * 32],
    "app_signed_digest": b"\x0e" * 32,
    "app_version": "1.4.0",
    "idf_version": "v5.5.2",
    "reboot_pending": False,
    "rollback_possible": True,
    "agent_version": "0.1.0",
    "agent_frozen": True,
    "shadowed": ["socket", "ssl"],
    "webrepl_cfg_present": False,
    "ble_on": False,
    "bootloader_digest": b"\x0f" * 32,
    "partitions_digest": b"\x10" * 32,
}


def schema(start: str) -> pycddl.Schema:
    """The rule `start`; pycddl 0.6 panics on a byte-string literal and mixes up `.cbor` in arrays,
    so the profile has a check of its own below and what is embedded is validated by its own rule.
    """
    text = re.sub(r"=> (h'[0-9a-f]+')", r"=> bstr .eq \1", CDDL.read_text())
    text = re.sub(r"bstr \.cbor [\w-]+", "bstr", text)
    return pycddl.Schema(f"start = {start}\n{text}")


def evidence(facts: dict[str, Any], session: dict[str, Any] = SESSION) -> attest.Evidence:
    key = SoftKey(PRIVATE + p256_public.public_key(PRIVATE), blind=False)
    return attest.Evidence(claims.claims_set(labelled(facts)), session, key, NONCE)


@pytest.mark.parametrize("facts", [LEAST, FULL], ids=["least", "full"])
def test_both_forms_and_the_set_are_what_the_cddl_says(facts: dict[str, Any]) -> None:
    made = evidence(facts)
    schema("evidence").validate_cbor(made.bare())
    schema("evidence").validate_cbor(made.bundle())
    protected, _, payload, _ = cbor2.loads(made.bare()).value
    schema("protected-header").validate_cbor(protected)
    schema("token-claims").validate_cbor(payload)
    schema("cwt").validate_cbor(cbor2.loads(made.bundle()).value[0])
    schema("claims-set").validate_cbor(made.claims_set)
    said = cbor2.loads(made.claims_set)
    schema("private-claims").validate_cbor(cbor2.dumps(said[-80001]))
    for kind, component in said[273]:
        assert kind == 65001
        schema("measured-component").validate_cbor(component)


def test_the_signature_verifies_under_the_boards_public_key() -> None:
    protected, unprotected, payload, signature = cbor2.loads(evidence(FULL).bare()).value
    assert unprotected == {}
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public = ec.derive_private_key(int.from_bytes(PRIVATE, "big"), ec.SECP256R1()).public_key()
    tbs = cbor2.dumps(["Signature1", protected, b"", payload])
    public.verify(utils.encode_dss_signature(r, s), tbs, ec.ECDSA(hashes.SHA256()))


def test_the_key_id_is_the_head_of_the_thumbprint() -> None:
    public = p256_public.public_key(PRIVATE)
    thumbprint = hashlib.sha256(
        bytes.fromhex("a401022001215820") + public[:32] + bytes.fromhex("225820") + public[32:]
    ).digest()
    assert cose.key_id(public) == thumbprint[:8]


def test_the_token_signs_the_digest_of_the_set_and_the_nonce() -> None:
    made = evidence(FULL)
    token = cbor2.loads(cbor2.loads(made.bare()).value[2])
    assert token[10] == NONCE
    assert token[265].hex() == "6981bdd0fec4f4c4eaa983abbca18ef8eec7c95d"
    assert token[266] == {"cfg": [-16, hashlib.sha256(made.claims_set).digest()]}
    assert made.digest == hashlib.sha256(made.claims_set).digest()
    assert 6 not in token


def test_both_forms_carry_the_same_signed_bytes() -> None:
    made = evidence(FULL)
    cwt, detached = cbor2.loads(made.bundle()).value
    assert cwt == bytes.fromhex("d83d") + made.bare()
    assert detached == {"cfg": made.claims_set}


def test_evidence_keeps_within_its_size() -> None:
    young = SESSION | {6: 2**32 - 1, 261: 65_535, 267: 255, -80002: 255}
    assert len(evidence(FULL, young).bare()) <= 240
    longest = {6: 2**32 - 1, 261: 2**31, 267: 2**31 - 1, -80002: 2**31}
    made = evidence(FULL, SESSION | longest)
    assert len(made.bare()) <= 248
    assert len(made.bundle()) <= 2048


def test_what_a_board_does_not_know_it_does_not_say() -> None:
    said = cbor2.loads(evidence(LEAST).claims_set)
    assert set(said) == {258, 259, 270, 271, 273, -80001}
    assert said[-80001] == {1: "esp32c3"}


def test_every_label_that_a_module_writes_is_the_cddls() -> None:
    numbered = re.compile(r"^_(\w+) = const\((-?\d+)\)", re.MULTILINE)
    written: dict[str, int] = {}
    for path in AGENT.glob("troth_agent/**/*.py"):
        said = path.read_text().partition("# labels of troth.cddl")[2].split("\n\n")[0]
        for name, label in numbered.findall(said):
            name = name.lower()
            if name in LABELS:
                assert int(label) == LABELS[name], f"{name} in {path.name}"
                written[name] = int(label)
    # the board cannot know by what the network that it joined is secured
    assert LABELS.keys() - written.keys() == {"wifi_auth"}


def test_the_set_names_no_device() -> None:
    assert SESSION[256][1:] not in evidence(FULL).claims_set


def test_the_settings_digest_is_that_of_the_profile_in_the_cddl() -> None:
    profile = {"ap": None, "interval_s": 4, "scheme": "https", "webrepl": False}
    written = cbor2.dumps({key: profile[key] for key in ("ap", "scheme", "webrepl", "interval_s")})
    schema("settings-profile").validate_cbor(written)
    assert claims.settings_digest(4, "https", False, None) == hashlib.sha256(written).digest()
