"""Every board definition against ESP-IDF 5.5, MicroPython 1.29 and its own board.toml."""

from __future__ import annotations

import errno
import json
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from troth.factory import boardfiles
from troth.factory.boardfiles import new_board
from troth.factory.hardening import chip_ids, images, load_chip
from troth.trouble import Trouble

BOARDS = Path(__file__).parents[1] / "boards"
COMMON = BOARDS / "common"
CHIPS = chip_ids()
FILES = {
    *("board.json", "manifest.py", "mpconfigboard.cmake", "mpconfigboard.h"),
    *("partitions.csv", "sdkconfig.board"),
}

# names of ESP-IDF's Kconfig, v5.5, that a hardened build may set
CHOICES = {
    *("SECURE_BOOT", "SECURE_BOOT_V2_ENABLED", "SECURE_BOOT_BUILD_SIGNED_BINARIES"),
    *("SECURE_SIGNED_APPS_RSA_SCHEME", "SECURE_SIGNED_APPS_ECDSA_V2_SCHEME"),
    *("SECURE_BOOT_ECDSA_KEY_LEN_192_BITS", "SECURE_BOOT_ECDSA_KEY_LEN_256_BITS"),
    *("SECURE_FLASH_ENC_ENABLED", "SECURE_FLASH_ENCRYPTION_MODE_RELEASE"),
    *("SECURE_FLASH_ENCRYPTION_AES128", "SECURE_FLASH_ENCRYPTION_AES256"),
    *("SECURE_FLASH_ENCRYPTION_AES128_DERIVED",),
    *("SECURE_ENABLE_SECURE_ROM_DL_MODE", "SECURE_DISABLE_ROM_DL_MODE"),
    *("NVS_ENCRYPTION", "NVS_SEC_KEY_PROTECT_USING_FLASH_ENC"),
    *("NVS_SEC_KEY_PROTECT_USING_HMAC", "NVS_SEC_HMAC_EFUSE_KEY_ID"),
    *("BOOTLOADER_APP_ROLLBACK_ENABLE", "BOOTLOADER_APP_ANTI_ROLLBACK"),
    *("BOOTLOADER_APP_SECURE_VERSION", "BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP"),
    *("PARTITION_TABLE_OFFSET", "PARTITION_TABLE_CUSTOM", "PARTITION_TABLE_CUSTOM_FILENAME"),
    *("APP_EXCLUDE_PROJECT_VER_VAR", "APP_EXCLUDE_PROJECT_NAME_VAR"),
    *("APP_PROJECT_VER_FROM_CONFIG", "APP_PROJECT_VER"),
    *("ESP_CONSOLE_NONE", "ESP_SYSTEM_PANIC_SILENT_REBOOT", "ESP_COREDUMP_ENABLE_TO_NONE"),
    *("ESP32_REV_MIN_3", "ESP32C3_REV_MIN_3"),
    *(f"ESPTOOLPY_FLASHSIZE_{size}MB" for size in (2, 4, 8, 16, 32)),
}
# what takes hardening back; the weak spots that Kconfig itself calls insecure
WEAK = re.compile(
    r"SECURE_BOOT_INSECURE|SECURE_BOOT_ALLOW_|_ALLOW_EFUSE_RD_DIS|MODE_DEVELOPMENT"
    r"|SECURE_FLASH_UART_BOOTLOADER_ALLOW|SECURE_INSECURE_ALLOW|EFUSE_VIRTUAL"
)
HARD = {
    "SECURE_BOOT": "y",
    "SECURE_BOOT_V2_ENABLED": "y",
    "SECURE_FLASH_ENC_ENABLED": "y",
    "SECURE_FLASH_ENCRYPTION_MODE_RELEASE": "y",
    "NVS_ENCRYPTION": "y",
    "NVS_SEC_KEY_PROTECT_USING_FLASH_ENC": "y",
    "BOOTLOADER_APP_ROLLBACK_ENABLE": "y",
    "BOOTLOADER_APP_ANTI_ROLLBACK": "y",
    "BOOTLOADER_SKIP_VALIDATE_IN_DEEP_SLEEP": "n",
    "PARTITION_TABLE_OFFSET": "0x10000",
    "APP_EXCLUDE_PROJECT_VER_VAR": "n",
    "ESP_CONSOLE_NONE": "y",
}
SCHEMES = {
    "rsa3072": "SECURE_SIGNED_APPS_RSA_SCHEME",
    "ecdsa256": "SECURE_SIGNED_APPS_ECDSA_V2_SCHEME",
}
CLOSED = {
    "MICROPY_HW_ENABLE_UART_REPL",
    "MICROPY_HW_ENABLE_USBDEV",
    "MICROPY_HW_USB_CDC",
    "MICROPY_HW_ESP_USB_SERIAL_JTAG",
    "MICROPY_PY_WEBREPL",
}
MACROS = CLOSED | {"MICROPY_HW_BOARD_NAME", "MICROPY_HW_MCU_NAME"}
BOARD_JSON = {
    *("deploy", "deploy_options", "docs", "features", "images", "mcu", "product", "thumbnail"),
    *("url", "vendor", "id", "variants"),
}


def read(chip: str, name: str) -> str:
    return (BOARDS / chip / "micropython" / name).read_text(encoding="utf-8")


def board(chip: str) -> dict[str, Any]:
    return tomllib.loads((BOARDS / chip / "board.toml").read_text(encoding="utf-8"))


def settings(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"CONFIG_([A-Z0-9_]+)=(\S+)", line) for line in lines]
    assert all(found), lines
    return [(match[1], match[2]) for match in found if match]


def together(chip: str) -> dict[str, str]:
    """As the build sees them: the chip's own lines after the common ones."""
    common = (COMMON / "sdkconfig.hardened").read_text(encoding="utf-8")
    return dict(settings(common) + settings(read(chip, "sdkconfig.board")))


def defines(text: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^#define (\w+) (.+)$", text))


def partitions(chip: str) -> dict[str, tuple[str, str, int, int, str]]:
    rows = {}
    for line in read(chip, "partitions.csv").splitlines():
        if not line.startswith("#"):
            name, kind, subtype, offset, size, flags = (cell.strip() for cell in line.split(","))
            rows[name] = (kind, subtype, int(offset, 0), int(size, 0), flags)
    return rows


def test_there_is_one_definition_for_each_of_nine_chips() -> None:
    assert len(CHIPS) == 9
    for chip in CHIPS:
        found = {path.name for path in (BOARDS / chip / "micropython").iterdir()}
        assert found == FILES, chip


@pytest.mark.parametrize("chip", CHIPS)
def test_every_setting_is_one_that_idf_knows_and_none_is_weak(chip: str) -> None:
    said = together(chip)
    assert set(said) - CHOICES == set()
    assert not [name for name in said if WEAK.search(name)]
    own = [name for name, _ in settings(read(chip, "sdkconfig.board"))]
    common = settings((COMMON / "sdkconfig.hardened").read_text(encoding="utf-8"))
    assert not set(own) & {name for name, _ in common}, "what all chips have stands in one place"
    assert len(own) == len(set(own))


@pytest.mark.parametrize("chip", CHIPS)
def test_every_chip_is_hardened_as_its_silicon_can_be(chip: str) -> None:
    said, toml = together(chip), board(chip)
    assert {name: said.get(name) for name in HARD} == HARD
    assert int(said["BOOTLOADER_APP_SECURE_VERSION"]) >= 1
    schemes = [name for name, key in SCHEMES.items() if said.get(key) == "y"]
    assert schemes == toml["secure_boot"]["schemes"][:1]
    closed = {"SECURE_ENABLE_SECURE_ROM_DL_MODE", "SECURE_DISABLE_ROM_DL_MODE"} & said.keys()
    assert len(closed) == 1
    secure_mode = "ENABLE_SECURITY_DOWNLOAD" in toml["profiles"]["P2"]["burn"]
    assert ("SECURE_ENABLE_SECURE_ROM_DL_MODE" in closed) == secure_mode
    half = said.get("SECURE_FLASH_ENCRYPTION_AES128_DERIVED") == "y"
    assert half == (toml["secure_boot"]["digest_bytes"] == 16)


@pytest.mark.parametrize("chip", CHIPS)
def test_flash_size_and_bootloader_are_those_of_the_board(chip: str) -> None:
    toml = board(chip)["chip"]
    assert f"ESPTOOLPY_FLASHSIZE_{toml['flash_bytes'] >> 20}MB" in together(chip)
    offset = json.loads(read(chip, "board.json"))["deploy_options"]["flash_offset"]
    assert int(offset, 0) == toml["bootloader_offset"]


@pytest.mark.parametrize("chip", CHIPS)
def test_the_partitions_lie_side_by_side_and_fit(chip: str) -> None:
    rows = partitions(chip)
    end = 0x10000 + 0x1000  # the table is one sector
    for name, (kind, _, offset, size, _) in rows.items():
        assert offset >= end, f"{name} overlaps what lies before it"
        assert offset % (0x10000 if kind == "app" else 0x1000) == 0, name
        assert size % 0x1000 == 0, name
        assert size > 0, name
        assert len(name) <= 15
        end = offset + size
    assert end <= board(chip)["chip"]["flash_bytes"]


@pytest.mark.parametrize("chip", CHIPS)
def test_two_equal_slots_no_factory_and_encrypted_stores(chip: str) -> None:
    rows = partitions(chip)
    slots = [row for row in rows.values() if row[0] == "app"]
    assert [row[1] for row in slots] == ["ota_0", "ota_1"]
    assert slots[0][3] == slots[1][3]
    assert slots[0][3] % 0x10000 == 0  # signed images are padded to it
    assert rows["otadata"][1:2] + rows["otadata"][3:4] == ("ota", 0x2000)
    assert rows["nvs"][:2] == ("data", "nvs")
    assert rows["nvs"][3] >= 0x3000
    assert rows["nvs"][4] == "", "NVS has its own encryption; the flag would break it"
    assert rows["nvs_keys"][1:2] + rows["nvs_keys"][3:] == ("nvs_keys", 0x1000, "encrypted")
    assert rows["phy_init"][:2] == ("data", "phy")
    assert rows["vfs"][0] == "data"
    assert rows["vfs"][4] == "encrypted", "one that the port registers itself never is"


@pytest.mark.parametrize("chip", CHIPS)
def test_every_way_to_a_prompt_is_closed(chip: str) -> None:
    header = read(chip, "mpconfigboard.h")
    assert '#include "../../common/hardened.h"' in header
    own = defines(header)
    common = defines((COMMON / "hardened.h").read_text(encoding="utf-8"))
    assert {name for name, value in common.items() if value == "(0)"} == CLOSED
    assert own.keys() | common.keys() == MACROS
    assert not own.keys() & common.keys()
    assert own["MICROPY_HW_MCU_NAME"] == f'"{chip.upper()}"'


@pytest.mark.parametrize("chip", CHIPS)
def test_board_json_says_what_micropython_wants_to_know(chip: str) -> None:
    said = json.loads(read(chip, "board.json"))
    assert said.keys() <= BOARD_JSON
    assert {
        "deploy",
        "docs",
        "features",
        "images",
        "mcu",
        "product",
        "url",
        "vendor",
    } <= said.keys()
    assert said["mcu"] == chip
    assert ("WiFi" in said["features"]) == board(chip)["chip"].get("wifi", True)
    assert all((BOARDS / chip / "micropython" / page).is_file() for page in said["deploy"])


@pytest.mark.parametrize("chip", CHIPS)
def test_cmake_takes_the_ports_settings_for_this_chip_then_ours(chip: str) -> None:
    lines = [line for line in read(chip, "mpconfigboard.cmake").splitlines() if line[:1] != "#"]
    assert lines == [
        f"include(boards/mpconfigboard_{chip}_common.cmake)",
        "include(${CMAKE_CURRENT_LIST_DIR}/../../common/hardened.cmake)",
    ]
    cmake = (COMMON / "hardened.cmake").read_text(encoding="utf-8")
    named = re.findall(r"\$\{CMAKE_CURRENT_LIST_DIR\}/(\S+)", cmake)
    assert named == ["sdkconfig.hardened"]
    assert cmake.index("sdkconfig.hardened\n") < cmake.index("sdkconfig.board")


class Manifest:
    """MicroPython's makemanifest, as far as ours go: what is frozen from which folder."""

    def __init__(self, path: Path) -> None:
        self.here = path.parent
        self.found: set[str] = set()
        names = {name: getattr(self, name) for name in ("include", "freeze", "package", "module")}
        exec(path.read_text(encoding="utf-8"), names)

    def include(self, name: str) -> None:
        if not name.startswith("$("):
            self.found |= Manifest((self.here / name).resolve()).found

    def freeze(self, folder: str) -> None:
        assert folder.startswith("$(PORT_DIR)")

    def package(self, name: str, base_path: str, opt: int) -> None:
        folder = self.here / base_path / name
        assert (folder / "__init__.py").is_file()
        self.found |= {f"{name}/{path.name}" for path in folder.glob("*.py")}

    def module(self, name: str, base_path: str, opt: int) -> None:
        assert (self.here / base_path / name).is_file()
        self.found.add(name)


@pytest.mark.parametrize("chip", CHIPS)
def test_the_image_carries_the_agent_and_a_main_that_never_returns(chip: str) -> None:
    found = Manifest(BOARDS / chip / "micropython/manifest.py").found
    assert {"boot.py", "main.py", "troth_agent/__init__.py", "troth_agent/attest.py"} <= found
    boot = (COMMON / "boot.py").read_text(encoding="utf-8")
    assert 'sys.path[:] = [".frozen"]' in boot
    assert "micropython.kbd_intr(-1)" in boot
    main = (COMMON / "main.py").read_text(encoding="utf-8")
    assert main.rstrip().endswith("machine.reset()")
    assert "finally:" in main


def test_a_board_of_ones_own_stands_in_its_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "acme"
    files = new_board("ACME_C3", "esp32c3", folder)
    assert set(files) > FILES
    assert not any("../../" in (folder / name).read_text() for name in FILES)
    assert 'BOARD_NAME "ACME_C3"' in (folder / "mpconfigboard.h").read_text()
    assert (folder / "common/sdkconfig.hardened").is_file()
    assert "troth_agent/__init__.py" in Manifest(folder / "manifest.py").found
    with pytest.raises(Trouble, match="holds something"):
        new_board("ACME_C3", "esp32c3", folder)
    with pytest.raises(Trouble, match="no name for a board"):
        new_board('X"; rm', "esp32c3", tmp_path / "b")
    shutil.rmtree(folder)


@pytest.mark.parametrize("chip", CHIPS)
def test_images_are_flashed_where_the_table_has_them(chip: str) -> None:
    said = {image.name: image.offset for image in images(load_chip(chip))}
    assert said["app"] == partitions(chip)["ota_0"][2]
    assert said["partition-table"] == int(together(chip)["PARTITION_TABLE_OFFSET"], 0)
    assert said["bootloader"] < said["partition-table"]


def test_half_a_definition_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(boardfiles, "_settle", full)
    with pytest.raises(OSError, match="No space left"):
        boardfiles.new_board("ACME_C3", "esp32c3", tmp_path / "acme")
    assert not (tmp_path / "acme").exists()
