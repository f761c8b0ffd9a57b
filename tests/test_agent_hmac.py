"""The HMAC signer on a peripheral that was written apart from it, against Python's own hmac."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import subprocess
from pathlib import Path
from typing import Any

import cbor2
import pytest

import agent_support
from agent_support import AGENT, FakeBoard, app_image, plug_in
from emulated import peripheral
from emulator import vm
from troth_agent import Trouble, asked, attest, keys
from troth_agent.keys import efuse_hmac

import machine  # isort: skip  (the stand-in of agent_support)

KEY = bytes(range(100, 132))
CHIPS = {
    "esp32s2": 0x3F41A000,
    "esp32s3": 0x60007000,
    "esp32c3": 0x60008800,
    "esp32c5": 0x600B4800,
    "esp32c6": 0x600B0800,
    "esp32h2": 0x600B0800,
    "esp32p4": 0x5012D000,
}
IDS = {"esp32s2": 2, "esp32c2": 0xC, "esp32c6": 0xD, "esp32h2": 0x10, "esp32p4": 0x12}
agent_support.CHIP_IDS.update(IDS | {"esp32c5": 0x17})


MODEL = peripheral("_hmac")


class Chip:
    """A chip's memory: fuses with one key purpose, and the peripheral beside them."""

    def __init__(self, chip: str, block: int = 5, purpose: int = 8, key: bytes = KEY) -> None:
        first, width = (22, 5) if chip == "esp32c5" else (24, 4)
        bits = purpose << first + block * width
        base = CHIPS.get(chip, 0)
        self.fuses = {base + 0x34: bits & 0xFFFFFFFF, base + 0x38: bits >> 32}
        self.unit = MODEL.Hmac(chip, self.fuses.__getitem__, lambda n: key if n == block else b"")
        self.masked, self.seen_masked = 0, set[int]()

    def __getitem__(self, address: int) -> int:
        self.seen_masked.add(self.masked)
        said = self.unit.read(address)
        word = self.fuses[address] if said is None else int(said)
        return word - (1 << 32) if word >> 31 else word  # a chip's mem32 gives signed words

    def __setitem__(self, address: int, value: int) -> None:
        assert self.unit.write(address, value), hex(address)


@pytest.fixture
def insert(monkeypatch: pytest.MonkeyPatch) -> Any:
    def inserted(chip: str, **how: Any) -> Chip:
        plug_in(FakeBoard(chip, app_image(chip)))
        made = Chip(chip, **how)

        def disable() -> int:
            made.masked = 1
            return 7

        def enable(state: int) -> None:
            assert state == 7
            made.masked = 0

        monkeypatch.setattr(machine, "mem32", made)
        monkeypatch.setattr(machine, "disable_irq", disable, raising=False)
        monkeypatch.setattr(machine, "enable_irq", enable, raising=False)
        return made

    return inserted


def code_of(act: Any) -> str:
    with pytest.raises(Trouble) as caught:
        act()
    return str(caught.value.code)


def expected(message: bytes) -> bytes:
    return hmac.digest(KEY, message, "sha256")


@pytest.mark.parametrize("chip", CHIPS)
def test_the_signer_gives_the_hmac_of_the_burned_key(chip: str, insert: Any) -> None:
    insert(chip)
    key = efuse_hmac.create()
    assert key.kid == expected(b"troth/kid/1")[:8]
    assert (key.alg, key.public) == (5, None)
    for size in (0, 54, 55, 56, 63, 64, 65, 119, 120, 128, 500):
        assert key.sign(bytes(size)) == expected(bytes(size))


def test_every_length_up_to_1000_bytes(insert: Any) -> None:
    insert("esp32c3")
    key = efuse_hmac.load()
    message = hashlib.shake_128(b"message").digest(1000)
    wrong = [n for n in range(1001) if key.sign(message[:n]) != expected(message[:n])]
    assert not wrong


@pytest.mark.parametrize("block", range(6))
def test_the_key_is_found_by_its_purpose(block: int, insert: Any) -> None:
    for chip in ("esp32c3", "esp32c5"):
        insert(chip, block=block)
        assert efuse_hmac.load().sign(b"x") == expected(b"x")


@pytest.mark.parametrize("chip", ["esp32c3", "esp32s3"])
def test_interrupts_wait_where_there_is_but_one_core(chip: str, insert: Any) -> None:
    made = insert(chip)
    key = efuse_hmac.load()
    made.seen_masked.clear()
    key.sign(b"x")
    assert made.seen_masked == ({1} if chip == "esp32c3" else {0})
    assert made.masked == 0


def test_a_chip_without_the_peripheral_says_so(insert: Any) -> None:
    for chip in ("esp32", "esp32c2"):
        insert(chip)
        assert code_of(efuse_hmac.load) == "signer.absent"


def test_a_chip_without_the_key_says_so(insert: Any) -> None:
    insert("esp32c3", purpose=0)
    assert code_of(efuse_hmac.load) == "signer.no-key"


def test_an_empty_block_is_no_key(insert: Any) -> None:
    insert("esp32c3", key=bytes(32))
    assert code_of(efuse_hmac.create) == "signer.no-key"


def test_another_purpose_is_an_error_of_the_peripheral(insert: Any) -> None:
    made = insert("esp32c3")
    key = efuse_hmac.load()
    made.fuses.update(dict.fromkeys(made.fuses, 0))
    assert code_of(lambda: key.sign(b"x")) == "signer.purpose"
    assert made.masked == 0
    made.fuses[CHIPS["esp32c3"] + 0x38] = 8 << 12
    assert key.sign(b"x") == expected(b"x")


def test_a_peripheral_that_stays_busy_is_given_up(insert: Any) -> None:
    made = insert("esp32c3")
    key = efuse_hmac.load()
    made.unit.polls = 10**9
    assert code_of(lambda: key.sign(b"x")) == "signer.busy"
    made.unit.polls = 2
    assert key.sign(b"x") == expected(b"x")  # its reset had been pulsed


def test_a_run_that_something_disturbed_is_done_again(insert: Any) -> None:
    made = insert("esp32s3")
    key = efuse_hmac.load()
    results = iter([b"\0" * 32, expected(b"x"), expected(b"x")])
    made.unit._mac = lambda: next(results)
    assert key.sign(b"x") == expected(b"x")


def test_nothing_answers_while_the_clock_is_off_or_the_reset_holds(insert: Any) -> None:
    made = insert("esp32c3")
    made[0x6003E040] = 1
    assert made[0x6003E06C] == 0  # not even busy
    made[0x600C0014] = 0x20  # HMAC alone has a clock: without SHA it never gets done
    made[0x600C001C] = 0
    made[0x6003E040] = 1
    assert [made[0x6003E06C] for _ in range(50)] == [1] * 50


def test_the_result_is_gone_when_it_has_been_taken(insert: Any) -> None:
    made = insert("esp32c3")
    efuse_hmac.load().sign(b"x")
    assert not any(made[0x6003E0C0 + i] for i in range(0, 32, 4))


SESSION = {256: b"\2\x24\x0a\xc4\0\0\1", 261: 7, 267: 3, 268: bytes(8), -80002: 9}


def test_the_evidence_is_a_mac0_of_the_token(insert: Any) -> None:
    insert("esp32c3")
    made = attest.Evidence(b"set", SESSION, efuse_hmac.load(), bytes(32))
    token = cbor2.loads(made.bare())
    protected, unprotected, payload, tag = token.value
    assert token.tag == 17
    assert cbor2.loads(protected) == {1: 5, 4: expected(b"troth/kid/1")[:8], 16: 263}
    assert unprotected == {}
    assert tag == expected(cbor2.dumps(["MAC0", protected, b"", payload]))
    assert cbor2.loads(made.bundle()).value[0] == b"\xd8\x3d" + made.bare()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(keys, "_SETTINGS", str(tmp_path / "troth.json"))
    return tmp_path / "troth.json"


def test_the_settings_choose_the_signer(settings: Path, insert: Any) -> None:
    insert("esp32c3")
    assert keys.chosen()[0].ORIGIN == "nvs"
    settings.write_text('{"signer": "efuse-hmac"}')
    assert keys.chosen()[0].ORIGIN == "efuse"
    kid = expected(b"troth/kid/1")[:8].hex()
    assert asked.describe_key() == {"key_origin": "efuse", "key": None, "kid": kid, "alg": 5}
    settings.write_text('{"signer": "gpg"}')
    assert code_of(keys.chosen) == "signer.unknown"


def test_a_board_tells_why_it_has_no_key(settings: Path, insert: Any) -> None:
    insert("esp32c3", purpose=0)
    settings.write_text('{"signer": "efuse-hmac"}')
    said = asked.describe_key()
    assert (said["kid"], said["key_trouble"]) == (None, "signer.no-key")


# the same bytes under MicroPython, on the same peripheral
SAME = """
import sys
class Stand:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])
KEY = bytes(range(100, 132))
FUSES = {0x60008834: 0, 0x60008838: 8 << 12}
unit = Hmac("esp32c3", lambda at: FUSES[at], lambda n: KEY)
class Mem:
    def __getitem__(self, at):
        return FUSES[at] if at in FUSES else unit.read(at)
    def __setitem__(self, at, value):
        unit.write(at, value)
class Partition:
    RUNNING = 1
    def __init__(self, which):
        pass
    def readblocks(self, block, buf, offset):
        buf[0], buf[12] = 0xE9, 5
stand = Stand(mem32=Mem(), disable_irq=lambda: 0, enable_irq=lambda state: None)
sys.modules["machine"], sys.modules["esp32"] = stand, Stand(Partition=Partition)
for name in list(sys.modules):
    if name.startswith("troth_agent.keys.efuse"):
        del sys.modules[name]
from troth_agent import attest
from troth_agent.keys.efuse_hmac import create
key = create()
for n in (0, 55, 56, 64, 119, 120, 317):
    print(key.sign(bytes(range(n % 256)) + bytes(n - n % 256)).hex())
said = {256: b"\\2" + bytes(6), 261: 1, 267: 2, 268: bytes(8), -80002: 9}
print(attest.Evidence(b"set", said, key, bytes(32)).bundle().hex())
"""


@pytest.mark.vm
def test_micropython_and_cpython_make_the_same_mac(machine: vm.Vm) -> None:
    program = Path(MODEL.__file__).read_text() + SAME
    out = io.StringIO()
    kept = {name: agent_support.sys.modules[name] for name in ("machine", "esp32")}
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(program, "same", "exec"), {})
    finally:
        agent_support.sys.modules.update(kept)
        agent_support.sys.modules["troth_agent.keys.efuse_hmac"] = efuse_hmac
        keys.efuse_hmac = efuse_hmac
    start = f"import sys\nsys.path[:] = [{str(AGENT)!r}]\n"
    argv = [*machine.argv, "-X", f"heapsize={112_000 * machine.heap_factor}", "-c", start + program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.stdout == out.getvalue(), done.stderr
    assert done.stdout.count("\n") == 8
