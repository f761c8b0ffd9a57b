"""The ATECC608 signer on an element that was written apart from it, checked with `cryptography`."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

import agent_support  # noqa: F401
from emulated import peripheral
from troth_agent import Trouble, attest, cose
from troth_agent.keys import atecc608

import machine  # isort: skip  (the stand-in of agent_support)

SESSION = {256: b"\2\x24\x0a\xc4\0\0\1", 261: 7, 267: 3, 268: bytes(8), -80002: 9}
AWAKE = bytes.fromhex("04113343")
INFO = bytes.fromhex("0730000000035d")  # both as Microchip's own libraries print them


MODEL = peripheral("_atecc608")


class Bus:
    """One I2C bus with an element on it, its clock, and a hand that can disturb the wire."""

    def __init__(self, locks: bytes = b"\0\0", key: bytes | None = None) -> None:
        config = bytearray(128)
        config[86:88] = locks
        self.kept = json.dumps({"config": config.hex(), "keys": {"0": key.hex()} if key else {}})
        self.ms = 0
        self.element = MODEL.Atecc608(lambda: self.kept, self.keep, lambda: self.ms, os.urandom)
        self.flips = 0  # replies still to be disturbed
        self.opcodes: list[int] = []

    def keep(self, text: str) -> None:
        self.kept = text

    def sleep_ms(self, ms: int) -> None:
        self.ms += ms

    def writeto(self, address: int, data: bytes) -> int:
        if data[0] == 3:
            self.opcodes.append(data[2])
        return int(self.element.write(address, data))

    def readfrom(self, address: int, size: int) -> bytes:
        said = bytearray(self.element.read(address, size))
        if self.flips and size > 4:
            self.flips -= 1
            said[1] ^= 0x10
        return bytes(said)


@pytest.fixture
def solder(monkeypatch: pytest.MonkeyPatch) -> Any:
    def soldered(**how: Any) -> Bus:
        bus = Bus(**how)
        monkeypatch.setattr(time, "sleep_ms", bus.sleep_ms)
        monkeypatch.setattr(machine, "I2C", lambda *_args, **_kwargs: bus, raising=False)
        monkeypatch.setattr(machine, "Pin", lambda number: number, raising=False)
        return bus

    return soldered


def code_of(act: Any) -> str:
    with pytest.raises(Trouble) as caught:
        act()
    return str(caught.value.code)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + public)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def test_a_key_is_made_in_the_element_once_and_proves_itself(solder: Any) -> None:
    bus = solder()
    assert atecc608.load() is None
    key = atecc608.create()
    again = atecc608.create()
    assert key.public == again.public == atecc608.load().public
    assert (key.alg, key.kid) == (-7, cose.key_id(key.public))
    kept = bytes.fromhex(json.loads(bus.kept)["keys"]["0"])
    private = ec.derive_private_key(int.from_bytes(kept, "big"), ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    assert key.public == numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def test_the_first_key_may_lie_in_another_slot(solder: Any) -> None:
    bus = solder(key=bytes(range(1, 33)))
    key = atecc608.create({"i2c": {"slot": 3}})
    assert list(json.loads(bus.kept)["keys"]) == ["0", "3"]
    assert key.public == atecc608.load({"i2c": {"slot": 3}}).public != atecc608.load().public
    for slot in (16, -1, "0", None):
        assert code_of(lambda slot=slot: atecc608.load({"i2c": {"slot": slot}})) == "signer.i2c"


def test_its_signatures_verify_and_no_two_are_the_same(solder: Any) -> None:
    solder(key=bytes(range(1, 33)))
    key = atecc608.load()
    signatures = {key.sign(b"message") for _ in range(5)}
    assert len(signatures) == 5
    for signature in signatures:
        verify(key.public, b"message", signature)
        with pytest.raises(InvalidSignature):
            verify(key.public, b"another", signature)


def test_the_evidence_is_a_sign1_of_the_elements_key(solder: Any) -> None:
    solder(key=bytes(range(1, 33)))
    key = atecc608.load()
    token = cbor2.loads(attest.Evidence(b"set", SESSION, key, bytes(32)).bare())
    protected, _, payload, signature = token.value
    assert token.tag == 18
    assert cbor2.loads(protected) == {1: -7, 4: key.kid, 16: 263}
    verify(key.public, cbor2.dumps(["Signature1", protected, b"", payload]), signature)


def test_both_sides_count_and_check_as_microchip_does() -> None:
    assert atecc608._crc(INFO[:-2]) == MODEL._crc16(INFO[:-2]) == INFO[-2:]
    assert atecc608._crc(AWAKE[:-2]) == MODEL._crc16(AWAKE[:-2]) == AWAKE[-2:]
    for size in range(80):
        data = os.urandom(size)
        assert atecc608._crc(data) == MODEL._crc16(data)


def test_it_sleeps_after_each_signature(solder: Any) -> None:
    bus = solder(key=bytes(range(1, 33)))
    atecc608.load().sign(b"x")
    assert not bus.element.awake()
    assert bus.opcodes[-3:] == [0x1B, 0x16, 0x41]


def test_a_bus_without_the_element_says_so(solder: Any) -> None:
    bus = solder()
    bus.element.write = bus.element.read = lambda *_: (_ for _ in ()).throw(OSError(19))
    assert code_of(atecc608.load) == "signer.absent"


def test_another_element_is_not_taken_for_this_one(
    solder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    solder()
    monkeypatch.setattr(MODEL, "_REVISION", b"\0\0\x50\0")
    assert code_of(atecc608.load) == "signer.absent"


@pytest.mark.parametrize("locks", [b"\x55\x55", b"\x55\0", b"\0\x55"], ids=["both", "data", "cfg"])
def test_an_open_zone_is_refused(locks: bytes, solder: Any) -> None:
    solder(locks=locks)
    assert code_of(atecc608.create) == "signer.unlocked"


@pytest.mark.parametrize("flips", [1, 50], ids=["once", "always"])
def test_a_disturbed_bus_has_a_second_chance(flips: int, solder: Any) -> None:
    bus = solder(key=bytes(range(1, 33)))
    key = atecc608.load()
    bus.flips = flips
    if flips == 1:
        verify(key.public, b"x", key.sign(b"x"))
    else:
        assert code_of(lambda: key.sign(b"x")) == "signer.bus"


def test_a_refused_command_is_told_with_its_status(solder: Any) -> None:
    bus = solder(key=bytes(range(1, 33)))
    key = atecc608.load()
    bus.element._keys.clear()
    with pytest.raises(Trouble) as caught:
        key.sign(b"x")
    assert (caught.value.code, caught.value.text) == (
        "signer.element",
        "ATECC608: 0x41: execution error 0f",
    )


def test_a_signature_that_does_not_verify_is_no_key(
    solder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = solder()
    bus.element._sign = lambda p1, slot: bytes(64)
    assert code_of(atecc608.create) == "signer.test"


def test_settings_of_the_bus_are_checked(solder: Any) -> None:
    solder()
    assert code_of(lambda: atecc608.load({"i2c": 7})) == "signer.i2c"


# the element by itself, byte by byte


def asked(bus: Bus, packet: bytes, patience_ms: int = 100) -> bytes:
    bus.element.write(0x60, b"\3" + packet)
    bus.ms += patience_ms
    reply = bytes(bus.element.read(0x60, 80))
    return reply[1 : reply[0] - 2]


def woken(bus: Bus) -> Bus:
    with pytest.raises(OSError, match="19"):
        bus.element.write(0, b"\0")
    bus.ms += 2
    assert bus.element.read(0x60, 4) == AWAKE
    return bus


def packet(opcode: int, p1: int = 0, p2: int = 0, data: bytes = b"") -> bytes:
    body = bytes((7 + len(data), opcode, p1, p2 & 255, p2 >> 8)) + data
    return body + bytes(MODEL._crc16(body))


def test_the_element_is_deaf_until_woken() -> None:
    with pytest.raises(OSError, match="19"):
        Bus().element.write(0x60, b"\3" + INFO)


def test_the_element_is_deaf_while_it_works() -> None:
    bus = woken(Bus(key=bytes(range(1, 33))))
    bus.element.write(0x60, b"\3" + packet(0x40))
    with pytest.raises(OSError, match="19"):
        bus.element.read(0x60, 67)
    bus.ms += 50
    assert bus.element.read(0x60, 67)[0] == 67


def test_the_watchdog_puts_it_to_sleep_and_it_forgets_the_digest() -> None:
    bus = woken(Bus(key=bytes(range(1, 33))))
    assert asked(bus, packet(0x16, 3, 0, bytes(32))) == b"\0"
    bus.ms += 1300
    with pytest.raises(OSError, match="19"):
        bus.element.write(0x60, b"\3" + INFO)
    assert asked(woken(bus), packet(0x41, 0x80)) == b"\x0f"


def test_an_idle_element_keeps_the_digest() -> None:
    bus = woken(Bus(key=bytes(range(1, 33))))
    assert asked(bus, packet(0x16, 3, 0, bytes(32))) == b"\0"
    bus.element.write(0x60, b"\2")
    assert len(asked(woken(bus), packet(0x41, 0x80))) == 64


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (INFO[:-1] + b"\0", 0xFF),
        (INFO[:-2], 0xFF),
        (packet(0x99), 0x03),
        (packet(0x30, 0, 0, b"x"), 0x03),
        (packet(0x16, 3, 0, bytes(31)), 0x03),
        (packet(0x02, 0, 32), 0x03),
        (packet(0x40, 0, 16), 0x03),
        (packet(0x40, 0, 1), 0x0F),
        (packet(0x41, 0x80), 0x0F),
        (packet(0x17, 0x80), 0x0F),
    ],
    ids=[
        "crc",
        "short",
        "opcode",
        "data",
        "nonce",
        "address",
        "slot",
        "empty",
        "no-digest",
        "locked",
    ],
)
def test_a_wrong_command_has_its_status(sent: bytes, status: int) -> None:
    assert asked(woken(Bus()), sent) == bytes((status,))


def test_an_unlocked_element_tells_random_numbers_that_are_none() -> None:
    bus = woken(Bus(locks=b"\x55\x55"))
    assert asked(bus, packet(0x1B)) == b"\xff\xff\0\0" * 8
    assert asked(bus, packet(0x40, 4)) == b"\x0f"
    assert asked(bus, packet(0x17, 0x81)) == b"\x0f"  # the configuration comes first
    assert asked(bus, packet(0x17, 0x80)) == asked(bus, packet(0x17, 0x81)) == b"\0"
    assert len(asked(bus, packet(0x40, 4))) == 64
