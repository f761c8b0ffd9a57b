"""Espressif's own tools read what the emulator writes: images, signatures, eFuse files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from emulated import EMULATOR, own_env
from emulator.chips import chip_ids, load_chip
from emulator.efuse import new_fuses
from emulator.image import App, build_image, hashed_length, tamper
from forked import espefuse, run, tool

CHIPS = chip_ids()
MAC = bytes.fromhex("543204112233")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


def build(home: Path, chip: str, profile: str, *words: str) -> Path:
    out = home / f"{chip}-{profile}.bin"
    argv = ("image", "--chip", chip, "--profile", profile, "--version", "1.4.0")
    said = run(EMULATOR, *argv, "--name", "therm", "-o", str(out), *words, env=own_env(home))
    assert said.code == 0, said
    return out


@pytest.mark.parametrize(
    ("chip", "profile"), [*((chip, "P2") for chip in CHIPS), ("esp32", "P0"), ("esp32c3", "P0")]
)
def test_esptool_accepts_the_image(home: Path, chip: str, profile: str) -> None:
    image = build(home, chip, profile)
    said = tool("esptool", "image-info", str(image))
    assert re.search(r"Checksum: 0x\w\w \(valid\)", said)
    assert re.search(r"Validation hash: \w{64} \(valid\)", said)
    assert "App version: 1.4.0" in said
    assert f"Secure version: {1 if profile == 'P2' else 0}" in said
    assert (b"troth_agent/__init__.py" in image.read_bytes()) is (profile == "P2")


@pytest.mark.parametrize(
    ("chip", "file"), [("esp32c3", "boot-key.pem"), ("esp32c2", "boot-key-p256.pem")]
)
def test_espsecure_verifies_the_signature_and_knows_the_key_in_the_fuses(
    home: Path, chip: str, file: str
) -> None:
    image = home / f"{chip}-P2.bin"
    if not image.exists():
        build(home, chip, "P2")
    key = home.parent / "state" / "troth" / "emulator" / file
    assert key.stat().st_mode & 0o077 == 0
    held = ("--version", "2", "--keyfile", str(key), str(image))
    assert "verification successful" in tool("espsecure", "verify-signature", *held)
    digest = home / f"{chip}-digest.bin"
    tool("espsecure", "digest-sbv2-public-key", "--keyfile", str(key), "--output", str(digest))
    from emulator.signing import boot_key

    assert boot_key(key, load_chip(chip).boot_schemes).digest() == digest.read_bytes()


def test_the_same_build_is_the_same_image_up_to_its_signature(home: Path) -> None:
    first = build(home, "esp32s3", "P2").read_bytes()
    again = build(home, "esp32s3", "P2").read_bytes()
    end = hashed_length(first) + 32
    assert first[:end] == again[:end]


@pytest.mark.parametrize("chip", ["esp32", "esp32c3", "esp32p4"])
def test_a_tampered_image_is_whole_and_another(chip: str, tmp_path: Path) -> None:
    image = build_image(load_chip(chip), App("therm", "1.4.0"))
    changed = tmp_path / "changed.bin"
    changed.write_bytes(tamper(image))
    said = tool("esptool", "image-info", str(changed))
    assert said.count("(valid)") == 2
    assert changed.read_bytes() != image


@pytest.mark.parametrize(
    "key",
    ["nothing", "a text", "another kind"],
)
def test_a_key_that_is_none_is_refused_with_its_remedy(home: Path, key: str) -> None:
    path = home / "bad.pem"
    path.unlink(missing_ok=True)
    if key == "a text":
        path.write_text("hello")
    if key == "another kind":
        scheme = ("--version", "2", "--scheme", "ecdsa256")
        tool("espsecure", "generate-signing-key", *scheme, str(path))
    argv = ("image", "--chip", "esp32", "--profile", "P2", "--version", "1", "--key", str(path))
    said = run(EMULATOR, *argv, "-o", str(home / "no.bin"), env=own_env(home))
    assert said.code == 2
    assert re.match(r"error\[key\.(unreadable|kind)\] ", said.err)
    assert "fix:" in said.err


@pytest.mark.parametrize("chip", CHIPS)
def test_espefuse_reads_the_fuses_of_a_hardened_board(chip: str, tmp_path: Path) -> None:
    digest = bytes(range(32))
    file = tmp_path / "efuse.bin"
    file.write_bytes(new_fuses(load_chip(chip), MAC, "P2", digest).content())
    espefuse(chip, file, "summary", "--format", "json", "--file", str(tmp_path / "said.json"))
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["MAC"]["value"].lower().startswith("54:32:04:11:22:33")
    for name, value in load_chip(chip).burn["P2"].items():
        assert _number(said[name]["value"], name) == value, name
    shown = " ".join(row["value"] for row in said.values() if isinstance(row["value"], str))
    assert digest[: load_chip(chip).digest_bytes].hex(" ") in shown


def _number(value: object, name: str) -> int:
    words = {"Enable": 7, "XTS_AES_128_KEY": 4, "SECURE_BOOT_DIGEST0": 9}
    if isinstance(value, str):
        return words[value] if value in words else int(value, 0)
    assert isinstance(value, int), name
    return int(value)
