# A P-256 key in an ATECC608 on I2C (Microchip's ATECC608A/B data sheets; the frames and status
# codes are those of its predecessor's public data sheet, ATECC508A chapters 6 to 9). It proves that
# it is attached, not what the firmware says: any code on the board can ask it to sign.
#
# "i2c" in /troth.json names the bus, its pins and the slot of the first key, all optional:
# {"id": 0, "scl": 9, "sda": 8, "slot": 0}.
import time
from hashlib import sha256

import machine
from micropython import const

from .. import Trouble, cose, nvs

ORIGIN = "secure-element"
_AT = const(0x60)
SLOT = "slot"  # of the key in force, in NVS, after the first rotation
_AWAKE = b"\x04\x11\x33\x43"
_SLEEP = b"\x01"

_READ = const(0x02)
_NONCE = const(0x16)
_RANDOM = const(0x1B)
_INFO = const(0x30)
_GENKEY = const(0x40)
_SIGN = const(0x41)
_PASSTHROUGH = const(0x03)
_CREATE = const(0x04)
_EXTERNAL = const(0x80)
_LOCKS = const(0x15)  # the word of the configuration zone with both locks

_POLL_MS = const(5)
_POLLS = const(200)
_STATUS = {0x03: "parse error", 0x05: "ECC fault", 0x0F: "execution error"}
_AGAIN = (0xFF, 0xEE)  # it saw a bad CRC; its watchdog is about to put it to sleep


class _Bus(Exception):
    pass


class AteccKey:
    alg = cose.ES256

    def __init__(self, i2c, slot, public):
        self._i2c = i2c
        self._slot = slot
        self.public = public
        self.kid = cose.key_id(public)

    def sign(self, structure):
        digest = sha256(structure).digest()
        return _session(self._i2c, lambda element: element.sign(self._slot, digest))


# The element between waking and sleeping; it forgets everything but its keys when it sleeps.
class _Element:
    def __init__(self, i2c):
        self._i2c = i2c

    # A write to address 0 holds SDA low for long enough; nobody acknowledges it.
    def wake(self):
        try:
            self._i2c.writeto(0, b"\0\0")
        except OSError:
            pass
        time.sleep_ms(2)
        try:
            said = self._i2c.readfrom(_AT, 4)
        except OSError:
            raise Trouble("signer.absent", "no ATECC608 answers on the I2C bus")
        if said != _AWAKE:
            raise _Bus

    def sleep(self):
        try:
            self._i2c.writeto(_AT, _SLEEP)
        except OSError:
            pass  # it sleeps already

    # An ATECC608 whose zones are locked: before that it neither keeps nor uses a key.
    def check(self):
        if self._ask(_INFO, 0, 0, b"", 4)[2] != 0x60:
            raise Trouble("signer.absent", "the secure element on the I2C bus is no ATECC608")
        if self._ask(_READ, 0, _LOCKS, b"", 4)[2:] != b"\0\0":
            raise Trouble("signer.unlocked", "the zones of the ATECC608 are not locked")

    def public(self, slot):
        return self._ask(_GENKEY, 0, slot, b"", 64)

    # takes the place of whatever key the slot held
    def create(self, slot):
        return self._ask(_GENKEY, _CREATE, slot, b"", 64)

    # Random first: that renews the seed from which the element draws its nonces.
    def sign(self, slot, digest):
        self._ask(_RANDOM, 0, 0, b"", 32)
        self._ask(_NONCE, _PASSTHROUGH, 0, digest, 1)
        return self._ask(_SIGN, _EXTERNAL, slot, b"", 64)

    # One command and what it gives, `size` bytes; a single zero byte is success.
    def _ask(self, opcode, p1, p2, data, size):
        packet = bytes((7 + len(data), opcode, p1, p2 & 255, p2 >> 8)) + data
        try:
            self._i2c.writeto(_AT, b"\x03" + packet + _crc(packet))
        except OSError:
            raise _Bus
        reply = self._reply(size + 3)
        count = reply[0]
        if count not in (4, size + 3) or _crc(reply[: count - 2]) != reply[count - 2 : count]:
            raise _Bus
        if count == 4 and (size != 1 or reply[1]):
            if reply[1] in _AGAIN:
                raise _Bus
            why = _STATUS.get(reply[1], "status")
            raise Trouble("signer.element", "ATECC608: 0x%02x: %s %02x" % (opcode, why, reply[1]))
        return bytes(reply[1 : count - 2])

    # It does not acknowledge its address while it works.
    def _reply(self, size):
        for _ in range(_POLLS):
            time.sleep_ms(_POLL_MS)
            try:
                return self._i2c.readfrom(_AT, size)
            except OSError:
                pass
        raise _Bus


# CRC-16 with polynomial 0x8005, bits of each byte lowest first, sent low byte first.
def _crc(data):
    crc = 0
    for byte in data:
        for bit in range(8):
            top = crc >> 15 ^ byte >> bit & 1
            crc = crc << 1 & 0xFFFF
            if top & 1:
                crc ^= 0x8005
    return bytes((crc & 255, crc >> 8))


# Wakes the element, lets it work, puts it to sleep; a disturbed bus gets a second chance.
def _session(i2c, work):
    element = _Element(i2c)
    for _ in range(2):
        try:
            element.wake()
            return work(element)
        except _Bus:
            pass
        finally:
            element.sleep()
    raise Trouble("signer.bus", "the ATECC608 does not answer as it should")


def _bus(settings):
    said = (settings or {}).get("i2c", {})
    try:
        pins = {name: machine.Pin(said[name]) for name in ("scl", "sda") if name in said}
        return machine.I2C(said.get("id", 0), freq=100000, **pins)  # type: ignore[call-overload]
    except (AttributeError, TypeError, ValueError):
        raise Trouble("signer.i2c", "/troth.json: i2c: want an object with id, scl, sda")


# Of the key in force: where a rotation put it, else where the first one is.
def slot_of(settings):
    first = (settings or {}).get("i2c", {}).get("slot", 0)
    if not isinstance(first, int) or not 0 <= first < 16:
        raise Trouble("signer.i2c", "/troth.json: i2c: want a slot from 0 to 15")
    return nvs.recall(SLOT, first)


# The key in force, or that of another slot; None when there is none.
def load(settings=None, slot=None):
    i2c = _bus(settings)
    slot = slot_of(settings) if slot is None else slot
    public = _session(i2c, lambda element: _look(element, slot))
    return AteccKey(i2c, slot, public) if public else None


def _look(element, slot):
    element.check()
    try:
        return element.public(slot)
    except Trouble as err:
        if err.code != "signer.element":
            raise
        return None  # the slot is empty


# Makes the key in the element, once, and proves it.
def create(settings=None):
    key = load(settings)
    return proven(key) if key else make(settings, slot_of(settings))


# A new key in this slot, proven.
def make(settings, slot):
    i2c = _bus(settings)
    return proven(AteccKey(i2c, slot, _session(i2c, lambda element: element.create(slot))))


# A key counts only after it has signed and verified.
def proven(key):
    test = b"troth self-test" + key.public
    signature = key.sign(test)
    from . import birth

    if not birth.verify(key.public, sha256(test).digest(), signature):
        raise Trouble("signer.test", "the ATECC608's signature does not verify under its key")
    return key
