"""The agent's reading of images against Espressif's own tools: what they print, it must say."""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from agent_support import CHIP_IDS, finish, named
from emulator.chips import chip_ids, load_chip
from emulator.image import App, build_image
from forked import tool
from troth_agent import image

ROOM = 0x100000


def in_flash(data: bytes) -> Any:
    flash = data.ljust(ROOM, b"\xff")

    def read(at: int, buffer: bytearray) -> None:
        buffer[:] = flash[at : at + len(buffer)]

    return read


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("images")


@pytest.mark.parametrize("chip", ["esp32", "esp32c2", "esp32c5"])
def test_it_reads_what_esptool_reads(chip: str, home: Path) -> None:
    path = home / f"{chip}.bin"
    path.write_bytes(build_image(load_chip(chip), App("therm", "1.4.0", secure_version=2)))
    said = tool("esptool", "image-info", str(path))
    read = in_flash(path.read_bytes())
    digest, intact, end = finish(image.measure(read, ROOM))
    assert re.search(r"Validation hash: (\w{64}) \(valid\)", said)[1] == digest.hex()  # type: ignore[index]
    assert (intact, end) == (True, path.stat().st_size)
    assert image.chip(read) == chip
    described = named(image.describe(read))
    shown = dict(
        re.findall(r"^(App version|ESP-IDF|ELF file SHA256|Secure version): (.+)$", said, re.M)
    )
    assert shown == {
        "App version": described["app_version"],
        "ESP-IDF": described["idf_version"],
        "ELF file SHA256": described["elf_digest"].hex(),
        "Secure version": str(described["app_secver"]),
    }


@pytest.mark.parametrize("scheme", ["rsa3072", "ecdsa256"])
def test_it_knows_the_keys_that_espsecure_signed_with(scheme: str, home: Path) -> None:
    plain, once, twice = (home / f"{scheme}-{n}.bin" for n in range(3))
    plain.write_bytes(build_image(load_chip("esp32c6"), App("therm", "1.4.0")))
    keys = [home / f"{scheme}-{n}.pem" for n in range(2)]
    for key in keys:
        tool("espsecure", "generate-signing-key", "--version", "2", "--scheme", scheme, str(key))
    sign = ("espsecure", "sign-data", "--version", "2")
    tool(*sign, "--keyfile", str(keys[0]), "--output", str(once), str(plain))
    more = ("--append-signatures", "--keyfile", str(keys[1]))
    tool(*sign, *more, "--output", str(twice), str(once))
    data = twice.read_bytes()
    read = in_flash(data)
    _, _, end = finish(image.measure(read, ROOM))
    found, signed = image.signers(read, end, ROOM)
    assert [key.hex() for key in found] == [public_digest(key, home) for key in keys]
    assert signed == hashlib.sha256(data[: -(-end // 4096) * 4096]).digest()
    assert image.signers(in_flash(once.read_bytes()), end, ROOM)[0] == found[:1]


def public_digest(key: Path, home: Path) -> str:
    out = home / "digest.bin"
    tool("espsecure", "digest-sbv2-public-key", "--keyfile", str(key), "--output", str(out))
    digest = out.read_bytes().hex()
    out.unlink()
    return digest


def test_an_unsigned_image_and_a_broken_block_have_no_signer(home: Path) -> None:
    plain = build_image(load_chip("esp32c6"), App("therm", "1.4.0"))
    assert image.signers(in_flash(plain), len(plain), ROOM) == ([], None)
    block = bytearray(b"\xe7\x02".ljust(1216, b"\0"))  # its CRC is wrong
    padded = plain.ljust(-(-len(plain) // 4096) * 4096, b"\xff") + block
    assert image.signers(in_flash(padded), len(plain), ROOM) == ([], None)


@pytest.mark.parametrize("version", [b"", b"1.0\x07", b"\xff" * 32])
def test_a_version_that_cannot_be_shown_is_not_said(version: bytes) -> None:
    data = bytearray(build_image(load_chip("esp32c3"), App("therm", "1.4.0")))
    data[0x30:0x50] = version.ljust(32, b"\0")
    assert "app_version" not in named(image.describe(in_flash(bytes(data))))


def test_every_chip_has_its_number(home: Path) -> None:
    for chip in chip_ids():
        assert image.chip(in_flash(build_image(load_chip(chip), App("x", "1")))) == chip
    assert CHIP_IDS.keys() <= set(chip_ids())
