"""A board without a prompt: enrolled by its line's own record, or by nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import house
from emulator.chips import load_chip
from emulator.image import App, build_image, sign_image
from emulator.signing import EcKey
from troth.core.device import Profile
from troth.core.keyring import KeyRing, mac_key_id
from troth.core.reference import Release
from troth.factory.hardened import register
from troth.factory.image import read_image
from troth.factory.manifest import code_digest
from troth.factory.order import Order
from troth.store import Store
from troth.trouble import Trouble

CHIP, MAC = "esp32c3", "543204000001"
RING = KeyRing(lambda: bytes(range(32)))
SETTINGS = {"oemid": 0, "hwmodel": house.MODEL, "swname": "m", "swversion": "1", "interval_s": 4}
FILES = {"/troth.json": json.dumps(SETTINGS).encode(), "/main.py": b"import troth_agent\n"}
ORDER = Order(url="https://127.0.0.1:8443", ca=b"a CA in DER", files=FILES, receipt_key="ab" * 64)
KEY = EcKey(ec.derive_private_key(5, ec.SECP256R1()))
UNIT = {"chip": CHIP, "mac": MAC, "fuses": "0100000000001c00", "key": ""}


def image(
    chip: str = CHIP, *, version: str = "1", frozen: bool = True, signed: bool = True
) -> bytes:
    plain = build_image(load_chip(chip), App("m", version, 1, frozen))
    return sign_image(plain, KEY) if signed else plain


def chip_in(folder: Path, app: bytes, **changed: object) -> Path:
    kid = mac_key_id(RING.secret(bytes.fromhex(MAC))).hex()
    folder.mkdir(exist_ok=True)
    (folder / "unit.json").write_text(json.dumps({**UNIT, "key": kid, **changed}))
    (folder / "app-signed.bin").write_bytes(app)
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as made:
        digest = read_image(image()).digest
        made.add_release(
            Release(
                "r-1", house.MODEL, CHIP, "1", house.NOW, digest, code_digest(FILES), "00" * 32,
                1, (), True, 0, None,
            ),
            b"record",
            at=house.NOW,
        )  # fmt: skip
        yield made


def refused(store: Store, folder: Path, order: Order = ORDER, ring: KeyRing = RING) -> str:
    with pytest.raises(Trouble) as told:
        register(folder, order, store, ring, at=house.NOW)
    assert store.devices() == ()
    return told.value.code


def test_its_line_alone_enrols_it(store: Store, tmp_path: Path) -> None:
    folder = chip_in(tmp_path / "chip", image())
    done = register(folder, ORDER, store, RING, at=house.NOW)
    row = store.device(MAC)
    assert row
    (key,) = store.keys(row.id)
    assert (key.algorithm, key.public_key, key.origin) == (5, None, "efuse")
    line = store.provisioning(row.id)
    assert line
    assert (line.profile, line.fuses, line.claims_digest) == (Profile.P2, UNIT["fuses"], bytes(32))
    said = json.loads((folder / "vfs" / "troth.json").read_text())
    assert (said["signer"], said["receipt_key"]) == ("efuse-hmac", ORDER.receipt_key)
    assert (folder / "vfs" / "main.py").read_bytes() == FILES["/main.py"]
    assert register(folder, ORDER, store, RING, at=house.NOW + 9)["device"] == done["device"]
    assert len(store.provisionings(row.id)) == 1


def test_who_holds_another_master_cannot_enrol_it(store: Store, tmp_path: Path) -> None:
    folder = chip_in(tmp_path / "chip", image())
    assert refused(store, folder, ring=KeyRing(lambda: bytes(32))) == "key.mismatch"


@pytest.mark.parametrize(
    ("app", "code"),
    [
        (image(frozen=False), "board.profile"),
        (image(signed=False), "board.profile"),
        (image("esp32s3"), "board.profile"),
        (image(version="2"), "board.not-released"),
    ],
    ids=["no agent inside", "not signed", "another chip's", "not released"],
)
def test_an_image_that_is_not_what_was_promised_is_refused(
    app: bytes, code: str, store: Store, tmp_path: Path
) -> None:
    assert refused(store, chip_in(tmp_path / "chip", app)) == code


def test_a_chip_that_is_not_done_or_has_no_key_of_its_own_is_refused(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(store, tmp_path / "empty") == "harden.unfinished"
    assert refused(store, chip_in(tmp_path / "chip", image(), key=None)) == "harden.keyless"
    assert refused(store, chip_in(tmp_path / "chip", image(), key=7)) == "harden.unfinished"
    other = replace(ORDER, model="another")
    assert refused(store, chip_in(tmp_path / "chip", image()), other) == "board.model"
