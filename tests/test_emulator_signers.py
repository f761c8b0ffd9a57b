"""Boards with a key in silicon: what the line burns, what the board shows, what it signs with."""

from __future__ import annotations

import hmac
import json
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent_support import AGENT
from emulated import EMULATOR, Stage, boards, own_env
from forked import run

pytestmark = pytest.mark.vm

MASTER = bytes(range(32))
SETTINGS = {
    "oemid": "0a1b2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 60,
}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    at = tmp_path_factory.mktemp("signers")
    files = at / "files"
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(AGENT / "troth_agent", files / "lib/troth_agent", ignore=skip)
    (files / "troth.json").write_text(json.dumps(SETTINGS))
    (at / "master.key").write_bytes(MASTER)
    scenario = """
[[board]]
name = "fused"
profile = "P1"
serial = 7
files = "files"
hmac_master = "master.key"

[[board]]
name = "element"
chip = "esp32"
profile = "P1"
files = "files"
"""
    with boards(at, scenario=scenario) as running:
        yield running


def key_of(stage: Stage) -> bytes:
    mac = bytes.fromhex(json.loads((stage.folder / "fused/board.json").read_text())["mac"])
    kdf = HKDF(hashes.SHA256(), 32, salt=b"troth/efuse-hmac/1", info=mac)
    return kdf.derive(MASTER)


def test_the_key_is_derived_from_the_master_and_kept_from_others(stage: Stage) -> None:
    kept = stage.folder / "fused/efuse-key5.bin"
    assert kept.read_bytes() == key_of(stage)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_no_register_shows_the_key(stage: Stage) -> None:
    code = (
        "import machine\n"
        "at = 0x60008800\n"
        "print([machine.mem32[at + 0x13c + i] for i in range(0, 32, 4)])\n"
        "print(machine.mem32[at + 0x38] >> 12 & 15, machine.mem32[at + 0x30] >> 5 & 1)"
    )
    assert stage.python("fused", code) == "[0, 0, 0, 0, 0, 0, 0, 0]\n8 1\n"


def test_the_agent_enrols_and_signs_with_the_fuse_key(stage: Stage) -> None:
    code = (
        "import json, troth_agent\n"
        "print(json.dumps(troth_agent.enroll()))\n"
        "print(json.dumps(troth_agent.identify()))\n"
        "print(troth_agent.answer(bytes(32), bundle=False).hex())"
    )
    enrolled, identity, evidence = stage.python("fused", code).splitlines()
    key = key_of(stage)
    kid = hmac.digest(key, b"troth/kid/1", "sha256")[:8]
    for said in (json.loads(enrolled), json.loads(identity)):
        assert (said["kid"], said["alg"], said["key_origin"]) == (kid.hex(), 5, "efuse")
    assert json.loads(enrolled)["public_key"] is None
    token = cbor2.loads(bytes.fromhex(evidence))
    protected, _, payload, tag = token.value
    assert token.tag == 17
    assert tag == hmac.digest(key, cbor2.dumps(["MAC0", protected, b"", payload]), "sha256")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--chip", "esp32", "--profile", "P1", "--signer", "efuse-hmac"), "signer.absent"),
        (("--profile", "P0", "--signer", "efuse-hmac"), "signer.profile"),
        (("--profile", "P1", "--signer", "soft"), "signer.profile"),
        (("--profile", "P1", "--hmac-master", "/nowhere"), "signer.master"),
    ],
    ids=["no peripheral", "stock key", "no hardware key", "no master"],
)
def test_what_cannot_be_is_refused(words: tuple[str, ...], code: str, tmp_path: Path) -> None:
    said = run(EMULATOR, "run", *words, env=own_env(tmp_path))
    assert (said.code, said.err.split("]")[0]) == (2, f"error[{code}")


def test_the_agent_has_its_key_made_in_the_element(stage: Stage) -> None:
    code = (
        "import json, troth_agent\n"
        "print(json.dumps(troth_agent.enroll()))\n"
        "print(json.dumps(troth_agent.identify()))\n"
        "print(troth_agent.answer(bytes(32), bundle=False).hex())"
    )
    enrolled, identity, evidence = map(str, stage.python("element", code).splitlines())
    said = json.loads(enrolled)
    assert (said["alg"], said["key_origin"]) == (-7, "secure-element")
    assert json.loads(identity)["key"] == said["public_key"]
    protected, _, payload, signature = cbor2.loads(bytes.fromhex(evidence)).value
    point = b"\4" + bytes.fromhex(said["public_key"])
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point).verify(
        utils.encode_dss_signature(r, s),
        cbor2.dumps(["Signature1", protected, b"", payload]),
        ec.ECDSA(hashes.SHA256()),
    )
    kept = stage.folder / "element/atecc608.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["keys"].keys() == {"0"}
