"""The model of the eFuse controller, and espefuse: what one burns the other reads."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from reedsolo import RSCodec

from emulated import boards, peripheral
from emulator import chips
from forked import espefuse

CHIPS = ("esp32s2", "esp32s3", "esp32c3", "esp32c5", "esp32c6", "esp32h2", "esp32p4")
KEY = bytes(range(100, 132))
BURN, READ = 0x5A5A, 0x5AA5


MODEL = peripheral("_burner")


class Silicon:
    """A new chip, driven as its technical reference says."""

    def __init__(self, chip: str) -> None:
        self.said = chips.load_chip(chip)
        self.file, self.hidden = bytes(self.said.efuse_bytes), dict[int, bytes]()
        self.cmd = 0x1D8 if chip == "esp32c5" else 0x1D4
        self.unit = MODEL.Burner(chip, lambda: self.file, self.keep, self.hidden.__setitem__)

    def keep(self, data: bytes) -> None:
        self.file = data

    def command(self, word: int, command: int) -> None:
        assert self.unit.write(0x1CC, word)
        assert self.unit.write(self.cmd, command)
        for _ in range(10):
            if not self.unit.read(self.cmd):
                return
        raise AssertionError("never done")

    def burn(self, block: int, data: bytes, *, check: bytes | None = None) -> None:
        coded = bytes(RSCodec(12).encode(data.ljust(32, b"\0"))) if check is None else data + check
        for at in range(0, 44, 4):
            assert self.unit.write(at, int.from_bytes(coded[at : at + 4], "little"))
        self.command(BURN, 2 | block << 2)

    def refresh(self) -> None:
        self.command(READ, 1)

    def field(self, name: str, value: int) -> bytes:
        """What block 0 is given to burn one field."""
        place = self.said.fields[name]
        return bytes(place.offset - 0x2C) + (value << place.bit).to_bytes(4, "little")

    def get(self, name: str) -> int:
        place = self.said.fields[name]
        return int(self.unit.word(place.offset)) >> place.bit & ((1 << place.width) - 1)


@pytest.mark.parametrize("chip", CHIPS)
def test_what_is_burned_shows_after_the_read_command_and_stays(chip: str) -> None:
    silicon = Silicon(chip)
    silicon.burn(0, silicon.field("SPI_BOOT_CRYPT_CNT", 7))
    assert silicon.get("SPI_BOOT_CRYPT_CNT") == 0, "the read registers are as they were"
    silicon.refresh()
    assert silicon.get("SPI_BOOT_CRYPT_CNT") == 7
    silicon.burn(0, silicon.field("SPI_BOOT_CRYPT_CNT", 0))
    silicon.refresh()
    assert silicon.get("SPI_BOOT_CRYPT_CNT") == 7, "a fuse cannot be unburned"


def test_nothing_is_burned_without_the_key_word() -> None:
    silicon = Silicon("esp32c3")
    silicon.unit.write(0, 1)
    silicon.command(0, 2)
    silicon.command(READ, 2)
    assert not any(silicon.file)


def test_a_key_is_hidden_in_either_order_and_can_be_locked() -> None:
    first, then = Silicon("esp32c3"), Silicon("esp32c3")
    first.burn(4, KEY)
    first.refresh()
    assert first.unit.word(0x9C) == int.from_bytes(KEY[:4], "little")
    first.burn(0, first.field("RD_DIS", 1))
    then.burn(0, then.field("RD_DIS", 1))
    then.burn(4, KEY)
    for silicon in (first, then):
        silicon.refresh()
        assert silicon.unit.word(0x9C) == 0
        assert silicon.hidden == {0: KEY}
        assert KEY[:4][::-1] not in silicon.file
    then.burn(0, then.field("WR_DIS", 1 | 1 << 24))
    before = then.file
    then.burn(0, then.field("RD_DIS", 2))
    then.burn(5, KEY)
    assert then.file == before, "RD_DIS and the second key are write-protected"


def test_a_wrong_code_and_a_second_burning_show_as_errors() -> None:
    silicon = Silicon("esp32c3")
    silicon.burn(4, KEY)
    assert silicon.unit.read(0x1C0) == 0
    silicon.burn(4, KEY)
    silicon.burn(5, KEY, check=bytes(12))
    assert silicon.unit.read(0x1C0) == 7 << 12 | 7 << 16


def test_the_code_is_that_of_reed_and_solomon() -> None:
    for seed in range(20):
        data = random.Random(seed).randbytes(32)
        assert MODEL._check_symbols(data) == bytes(RSCodec(12).encode(data))[32:]


@pytest.mark.parametrize("chip", ["esp32c5"])
def test_the_file_is_the_one_that_espefuse_would_have_made(chip: str, tmp_path: Path) -> None:
    silicon, path = Silicon(chip), tmp_path / "efuse.bin"
    (tmp_path / "key.bin").write_bytes(KEY)
    silicon.burn(7, KEY)
    silicon.burn(0, silicon.field("KEY_PURPOSE_3", 8))
    silicon.burn(0, silicon.field("WR_DIS", 1 << 11 | 1 << 26))
    silicon.burn(0, silicon.field("RD_DIS", 8))
    path.write_bytes(bytes(len(silicon.file)))
    espefuse(chip, path, "burn-key", "BLOCK_KEY3", str(tmp_path / "key.bin"), "HMAC_UP")
    fuses = slice(-0x17C, -0x2C)  # the other registers are no fuses
    assert path.read_bytes()[fuses] == silicon.file[fuses]


BURN_ON_BOARD = """
import machine
at = 0x60008800
def run(word, command):
    machine.mem32[at + 0x1cc] = word
    machine.mem32[at + 0x1d4] = command
    while machine.mem32[at + 0x1d4]:
        pass
machine.mem32[at + 4] = 1 << 19
run(0x5A5A, 2)
print(machine.mem32[at + 0x30] >> 19 & 1)
run(0x5AA5, 1)
print(machine.mem32[at + 0x30] >> 19 & 1)
"""


@pytest.mark.vm
def test_a_board_burns_through_mem32_and_espefuse_sees_it(tmp_path: Path) -> None:
    with boards(tmp_path, "--name", "burns") as own:
        assert own.python("burns", BURN_ON_BOARD).split() == ["0", "1"]
        said = espefuse("esp32c3", own.folder / "burns" / "efuse.bin", "summary")
    (row,) = [line for line in said.splitlines() if line.startswith("DIS_PAD_JTAG")]
    assert "True" in row
