"""What the agent makes of fuses; where keys are burned, on chips that espefuse itself burned."""

from pathlib import Path
from typing import Any

import pytest

from agent_support import named
from emulator.chips import chip_ids, load_chip
from emulator.efuse import Fuses
from forked import espefuse
from troth_agent import efuse

COMMON = [name for name in chip_ids() if name not in ("esp32", "esp32c2")]
DIGEST_A, DIGEST_B, KEY = bytes(range(32)), bytes(range(32, 64)), b"\x5a" * 32
BLANK = {
    "secure_boot": False,
    "secure_boot_digests": [],
    "flash_enc": False,
    "flash_enc_mode": "off",
    "jtag": "enabled",
    "dl_mode": "enabled",
    "secver_fuse": 0,
    "key_blocks_readable": 0,
    "oemboot": False,
    "dbgstat": 0,
    "fuses": bytes(20),
}


class Registers:
    """machine.mem32 over an espefuse file: the register at offset o ends o bytes before the end."""

    def __init__(self, chip: str, data: bytes) -> None:
        self._base, self._data = load_chip(chip).efuse_base, data

    def __getitem__(self, address: int) -> int:
        offset = address - self._base
        assert 0 <= offset < len(self._data), f"foreign address {address:#x}"
        end = len(self._data) - offset
        word = int.from_bytes(self._data[end - 4 : end], "big")
        return word - (1 << 32) if word >> 31 else word  # mem32 may give it signed


def burned(chip: str, folder: Path, *steps: str) -> dict[str, Any]:
    for name, data in (("a", DIGEST_A), ("b", DIGEST_B), ("key", KEY)):
        (folder / name).write_bytes(data)
    fuses = folder / "efuse.bin"
    # it takes several commands in one go
    espefuse(chip, fuses, *" ".join(steps or ("summary",)).split(), cwd=folder)
    return named(efuse.read(chip, Registers(chip, fuses.read_bytes())))


def fused(chip: str, *blocks: tuple[int, bytes], **fields: int) -> dict[str, Any]:
    """The same without keys of its own: fuses by name, and key blocks by number."""
    fuses = Fuses(load_chip(chip))
    for name, value in fields.items():
        fuses.burn(name, value)
    for number, data in blocks:
        fuses.burn_block({"esp32": 0x38, "esp32c2": 0x60}.get(chip, 0x9C) + 32 * number, data)
    return named(efuse.read(chip, Registers(chip, fuses.content())))


@pytest.mark.parametrize("chip", chip_ids())
def test_a_new_chip_has_nothing_burned(chip: str) -> None:
    said = fused(chip)
    assert said.pop("key_slots_free") == (3 if chip in COMMON else 1)
    fuses = said.pop("fuses")
    assert fuses == bytes(8 if chip == "esp32c2" else 20)
    assert said == {name: value for name, value in BLANK.items() if name != "fuses"}


@pytest.mark.parametrize("chip", ["esp32c3", "esp32s3"])
def test_a_hardened_chip_says_so_field_by_field(chip: str, tmp_path: Path) -> None:
    said = burned(
        chip,
        tmp_path,
        "burn-key BLOCK_KEY0 key XTS_AES_128_KEY",
        "burn-key BLOCK_KEY1 a SECURE_BOOT_DIGEST0",
        "burn-key BLOCK_KEY2 b SECURE_BOOT_DIGEST1",
        "burn-efuse SECURE_BOOT_EN 1 SPI_BOOT_CRYPT_CNT 7 DIS_DOWNLOAD_MANUAL_ENCRYPT 1"
        " DIS_PAD_JTAG 1 DIS_USB_JTAG 1 SECURE_VERSION 3 SECURE_BOOT_KEY_REVOKE2 1"
        " ENABLE_SECURITY_DOWNLOAD 1",
    )
    assert said.pop("fuses") != bytes(20)
    assert said == {
        "secure_boot": True,
        "secure_boot_digests": [DIGEST_A, DIGEST_B],
        "key_slots_free": 0,
        "flash_enc": True,
        "flash_enc_mode": "release",
        "jtag": "disabled",
        "dl_mode": "secure",
        "secver_fuse": 2,
        "key_blocks_readable": 0,
        "oemboot": True,
        "dbgstat": 3,
    }


def test_a_revoked_digest_is_not_named_and_frees_no_slot(tmp_path: Path) -> None:
    said = burned(
        "esp32c3",
        tmp_path,
        "burn-key BLOCK_KEY1 a SECURE_BOOT_DIGEST0",
        "burn-key BLOCK_KEY3 b SECURE_BOOT_DIGEST2",
        "burn-efuse SECURE_BOOT_EN 1 SECURE_BOOT_KEY_REVOKE0 1",
    )
    assert said["secure_boot_digests"] == [DIGEST_B]
    assert said["key_slots_free"] == 1


def test_a_secret_key_left_readable_is_counted_and_never_shown(tmp_path: Path) -> None:
    said = burned(
        "esp32c3",
        tmp_path,
        "burn-key BLOCK_KEY0 key HMAC_UP --no-read-protect",
        "burn-key BLOCK_KEY1 key USER",
        "burn-key BLOCK_KEY4 key HMAC_DOWN_DIGITAL_SIGNATURE",
    )
    assert said["key_blocks_readable"] == 1
    assert KEY[:4] not in said["fuses"]
    assert said["secure_boot_digests"] == []


@pytest.mark.parametrize(
    ("count", "enabled", "mode"),
    [(1, True, "development"), (3, False, "off"), (7, True, "development")],
)
def test_flash_encryption_is_a_parity_and_release_needs_more(
    count: int, enabled: bool, mode: str
) -> None:
    for chip in (*COMMON, "esp32c2"):
        said = fused(chip, SPI_BOOT_CRYPT_CNT=count)
        assert (said["flash_enc"], said["flash_enc_mode"]) == (enabled, mode)


@pytest.mark.parametrize(
    ("burn", "jtag", "dbgstat"),
    [
        ({"DIS_PAD_JTAG": 1}, "enabled", 0),  # USB is still open
        ({"DIS_USB_JTAG": 1}, "enabled", 0),  # the pads are still open
        ({"DIS_USB_JTAG": 1, "SOFT_DIS_JTAG": 7}, "protected", 1),
        ({"DIS_USB_JTAG": 1, "SOFT_DIS_JTAG": 3}, "enabled", 0),  # an even count opens it
        ({"DIS_USB_JTAG": 1, "DIS_PAD_JTAG": 1}, "disabled", 3),
    ],
)
def test_jtag_is_closed_only_when_every_way_in_is(
    burn: dict[str, int], jtag: str, dbgstat: int
) -> None:
    for chip in COMMON:
        if chip != "esp32s2":
            said = fused(chip, **burn)
            assert (said["jtag"], said["dbgstat"]) == (jtag, dbgstat), chip


@pytest.mark.parametrize(
    ("chip", "burn", "jtag"),
    [
        ("esp32s2", {"SOFT_DIS_JTAG": 1}, "protected"),
        ("esp32s2", {"HARD_DIS_JTAG": 1}, "disabled"),
        ("esp32c2", {"DIS_PAD_JTAG": 1}, "disabled"),
    ],
)
def test_chips_without_jtag_over_usb_have_one_way_in(
    chip: str, burn: dict[str, int], jtag: str
) -> None:
    assert fused(chip, **burn)["jtag"] == jtag


@pytest.mark.parametrize("chip", [*COMMON, "esp32c2"])
def test_the_download_loader_can_be_off(chip: str) -> None:
    assert fused(chip, ENABLE_SECURITY_DOWNLOAD=1)["dl_mode"] == "secure"
    said = fused(chip, DIS_DOWNLOAD_MODE=1, ENABLE_SECURITY_DOWNLOAD=1)
    assert said["dl_mode"] == "disabled"


@pytest.mark.parametrize("chip", COMMON)
def test_secure_boot_without_a_digest_that_counts_is_none(chip: str) -> None:
    digest = (1, DIGEST_A)
    on = {"SECURE_BOOT_EN": 1, "KEY_PURPOSE_1": 9}
    assert fused(chip, digest, **on)["secure_boot"]
    assert not fused(chip, digest, **on, SECURE_BOOT_KEY_REVOKE0=1)["secure_boot"]
    assert not fused(chip, digest, SECURE_BOOT_EN=1)["secure_boot"]
    assert not fused(chip, SECURE_BOOT_EN=1, KEY_PURPOSE_1=9)["oemboot"]  # an empty block


@pytest.mark.parametrize("chip", COMMON)
def test_the_secure_version_is_a_count_of_bits(chip: str) -> None:
    assert fused(chip, SECURE_VERSION=0b1011)["secver_fuse"] == 3
    assert fused("esp32c2", SECURE_VERSION=0b1111)["secver_fuse"] == 4


@pytest.mark.parametrize("chip", COMMON)
@pytest.mark.parametrize("purpose", [1, 2, 4, 5, 7, 8, 12])
def test_every_purpose_but_a_users_and_a_digest_is_a_secret(chip: str, purpose: int) -> None:
    said = fused(chip, (5, KEY), KEY_PURPOSE_5=purpose)
    assert said["key_blocks_readable"] == 1
    assert KEY[:4] not in said["fuses"]
    assert said["secure_boot_digests"] == []
    assert fused(chip, KEY_PURPOSE_5=purpose, RD_DIS=0b100000)["key_blocks_readable"] == 0


def test_the_fifth_bit_of_a_purpose_is_a_secret_too_and_no_digest() -> None:
    for purpose in (16, 17, 18, 25):  # 25 is SECURE_BOOT_DIGEST0 to a reader of four bits
        said = fused("esp32c5", (0, KEY), SECURE_BOOT_EN=1, KEY_PURPOSE_0=purpose)
        assert (said["key_blocks_readable"], said["secure_boot"]) == (1, False)


def test_the_c2_has_one_block_for_its_flash_key_and_half_a_digest(tmp_path: Path) -> None:
    (tmp_path / "half").write_bytes(KEY[:16])
    said = burned(
        "esp32c2",
        tmp_path,
        "burn-key BLOCK_KEY0 half XTS_AES_128_KEY_DERIVED_FROM_128_EFUSE_BITS"
        " BLOCK_KEY0 a SECURE_BOOT_DIGEST",
        "burn-efuse SECURE_BOOT_EN 1 SPI_BOOT_CRYPT_CNT 7 DIS_DOWNLOAD_MANUAL_ENCRYPT 1",
    )
    assert said["secure_boot"]
    assert "secure_boot_digests" not in said  # half of it is not the digest
    assert (said["key_slots_free"], said["key_blocks_readable"]) == (0, 0)
    assert said["flash_enc_mode"] == "release"


@pytest.mark.parametrize(
    ("fields", "block", "wanted"),
    [
        ({"SECURE_BOOT_EN": 1}, b"", {"secure_boot": False, "secure_boot_digests": []}),
        ({"SECURE_BOOT_EN": 1}, KEY[:16], {"secure_boot": False}),
        ({"SPI_BOOT_CRYPT_CNT": 1}, KEY, {"key_blocks_readable": 1}),
        ({"SPI_BOOT_CRYPT_CNT": 1, "RD_DIS": 1}, KEY, {"key_blocks_readable": 0}),
        (
            {"SPI_BOOT_CRYPT_CNT": 1, "XTS_KEY_LENGTH_256": 1, "RD_DIS": 1, "SECURE_BOOT_EN": 1},
            KEY,
            {"key_blocks_readable": 1, "secure_boot": False, "key_slots_free": 0},
        ),
        (
            {"SPI_BOOT_CRYPT_CNT": 1, "WR_DIS": 4, "DIS_DOWNLOAD_MANUAL_ENCRYPT": 1},
            KEY,
            {"flash_enc_mode": "release"},
        ),
    ],
)
def test_the_c2_reads_its_own_layout(
    fields: dict[str, int], block: bytes, wanted: dict[str, Any]
) -> None:
    said = fused("esp32c2", (0, block.ljust(32, b"\0")), **fields)
    assert {name: said[name] for name in wanted} == wanted


def esp32(*words: tuple[int, int]) -> dict[str, Any]:
    """The classic chip from its words by offset: espefuse ties too much to its revision."""
    data = dict(words)
    base = load_chip("esp32").efuse_base
    return named(efuse.read("esp32", _Words({base + at: word for at, word in data.items()})))


class _Words(dict[int, int]):
    def __missing__(self, address: int) -> int:
        return 0


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([(0x18, 1 << 6)], {"jtag": "disabled", "dbgstat": 3}),
        ([(0x00, 1 << 27)], {"dl_mode": "disabled"}),
        ([(0x00, 1 << 20)], {"flash_enc_mode": "development", "key_blocks_readable": 1}),
        ([(0x00, 1 << 20 | 1 << 16)], {"flash_enc": True, "key_blocks_readable": 0}),
        ([(0x00, 0x7F << 20), (0x18, 7 << 7)], {"flash_enc_mode": "release"}),
        ([(0x00, 1 << 20 | 1 << 2), (0x18, 7 << 7)], {"flash_enc_mode": "release"}),
        ([(0x00, 1 << 20), (0x18, 7 << 7)], {"flash_enc_mode": "development"}),
        ([(0x18, 1 << 5)], {"secure_boot": False, "key_slots_free": 0, "oemboot": False}),
        ([(0x18, 1 << 5), (0x58, 1)], {"secure_boot": True, "key_slots_free": 0, "oemboot": True}),
        ([(0x18, 3 << 4)], {"secure_boot": True, "secure_boot_digests": []}),
        ([(0x88, 7)], {"secver_fuse": 3}),
    ],
)
def test_the_classic_chip_reads_its_own_layout(
    words: list[tuple[int, int]], wanted: dict[str, Any]
) -> None:
    said = esp32(*words)
    assert {name: said[name] for name in wanted} == wanted


def test_the_classic_chips_digest_is_block_two_and_only_with_version_two() -> None:
    block = [(0x58 + 4 * i, 0x01010101 * i) for i in range(8)]
    digest = b"".join((0x01010101 * i).to_bytes(4, "little") for i in range(8))
    assert esp32(*block)["secure_boot_digests"] == []
    assert esp32(*block, (0x18, 1 << 5))["secure_boot_digests"] == [digest]
    version_one = esp32(*block, (0x18, 1 << 4))
    assert version_one["secure_boot"]
    assert "secure_boot_digests" not in version_one
    assert version_one["key_blocks_readable"] == 1


def test_the_classic_chips_fuses_leave_its_address_out() -> None:
    words = [(4 * i, i + 1) for i in range(7)]
    assert esp32(*words)["fuses"] == b"".join(n.to_bytes(4, "little") for n in (1, 4, 5, 6, 7))


def test_a_chip_without_a_map_says_nothing_and_is_not_touched() -> None:
    class Faulting:
        def __getitem__(self, address: int) -> int:
            raise AssertionError("would reset the board")

    assert efuse.read("esp32c61", Faulting()) == {}
