"""Every fuse that Troth lists, burned by the real espefuse and read back by the agent on the VM."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import make_chip_table
from agent_support import AGENT
from emulator import vm
from emulator.chips import BOARDS, Chip, Field, chip_ids, load_chip
from emulator.folder import Order, make_folder
from forked import espefuse

PURPOSES = {
    4: "XTS_AES_128_KEY",
    7: "HMAC_DOWN_DIGITAL_SIGNATURE",
    8: "HMAC_UP",
    9: "SECURE_BOOT_DIGEST0",
    10: "SECURE_BOOT_DIGEST1",
    11: "SECURE_BOOT_DIGEST2",
    16: "ECDSA_KEY_P192",  # takes the fifth bit, which the ESP32-C5 has
}
# the classic chip: 3 is a coding scheme without codes; to hide block 3 would hide SECURE_VERSION
FIXED = {"CODING_SCHEME": 3, "RD_DIS": 1}
# fuses that espefuse burns together only when told to: USB-JTAG and USB-serial-JTAG
FORCED = ("esp32s3",)
READ = """
import sys
import _board
sys.modules["_emu"] = _board
sys.path[:] = [%r, %r]
import json, machine
from troth_agent.efuse import Fuses
fuses = Fuses(%r, machine.mem32)
print(json.dumps([fuses.get(n) if fuses.bits(n) else None for n in range(%d)]))
"""


def value(chip: Chip, name: str, field: Field) -> int:
    """Something that a neighbour does not have by chance; never 0, which an unburned fuse has."""
    if name.startswith("KEY_PURPOSE_"):
        fifth_bit = 16 if field.width == 5 else 7
        return (9, 10, 4, fifth_bit, 11, 8)[int(name[-1])]
    if chip.mac_crc and name in FIXED:
        return FIXED[name]
    noise = hashlib.sha256(f"{chip.id} {name}".encode()).digest()
    return int.from_bytes(noise[:4], "big") % ((1 << field.width) - 1) + 1


def burn(chip: Chip, fuses: Path, values: dict[str, int]) -> None:
    """All of them in one call."""
    words = ["burn-efuse", *(["--force"] if chip.id in FORCED else [])]
    for name, number in values.items():
        words += [name, PURPOSES[number] if name.startswith("KEY_PURPOSE_") else hex(number)]
    espefuse(chip.id, fuses, *words)


def on_board(machine: vm.Vm, at: Path, chip: Chip) -> dict[str, int]:
    """What the agent's decoder reads through this board's mem32."""
    rom = BOARDS / "emulator" / "rom"
    names = make_chip_table.names(make_chip_table.chips(), "E" if chip.mac_crc else "A")
    done = subprocess.run(
        [*machine.argv, "-c", READ % (str(rom / "lib"), str(AGENT), chip.id, len(names))],
        cwd=rom / "boot",
        env={**os.environ, "TROTH_BOARD": str(at)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = zip(names, json.loads(done.stdout), strict=True)
    return {name: number for name, number in said if number is not None}


@pytest.mark.vm
@pytest.mark.parametrize("name", chip_ids())
def test_what_espefuse_burns_is_what_the_agent_reads_on_the_vm(
    name: str, machine: vm.Vm, tmp_path: Path
) -> None:
    chip = load_chip(name)
    make_folder(tmp_path / "board", Order(name=name, chip=name))
    # a chip before its maker wrote its address and revision: that block takes one burning
    (tmp_path / "board" / "efuse.bin").unlink()
    values = {field: value(chip, field, place) for field, place in chip.fields.items()}
    burn(chip, tmp_path / "board" / "efuse.bin", values)
    read = on_board(machine, tmp_path / "board", chip)
    assert read.keys() == values.keys()
    assert {
        field: (read[field], want) for field, want in values.items() if read[field] != want
    } == {}


def test_the_nine_chips_are_all_here() -> None:
    assert len(chip_ids()) == 9
    assert sum(len(load_chip(name).fields) for name in chip_ids()) >= 165


def test_the_table_in_the_tree_is_the_one_its_script_writes() -> None:
    subprocess.run([sys.executable, str(AGENT / "make_chip_table.py"), "--check"], check=True)
