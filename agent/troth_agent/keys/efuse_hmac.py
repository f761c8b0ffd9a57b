# An HMAC key in the eFuses of the seven chips that have an HMAC peripheral (ESP32-S3 technical
# reference, chapter HMAC). The key can be used by any code on this chip and read by none: it proves
# the chip, not its firmware. The verifier holds the same key, so it could forge; see docs/trust.md.
from hashlib import sha256

import machine
from micropython import const

import esp32

from .. import Trouble, cose, forget

ORIGIN = "efuse"
_KID = b"troth/kid/1"
_HMAC_UP = const(8)

_START = const(0x40)
_PURPOSE = const(0x44)
_KEY = const(0x48)
_PARA_FINISH = const(0x4C)
_ONE = const(0x50)
_ING = const(0x54)
_RESULT_FINISH = const(0x5C)
_ERROR = const(0x68)
_BUSY = const(0x6C)
_WDATA = const(0x80)
_RDATA = const(0xC0)
_PAD = const(0xF0)
_ONE_BLOCK = const(0xF4)

_FUSES = {
    "esp32s2": 0x3F41A000,
    "esp32s3": 0x60007000,
    "esp32c3": 0x60008800,
    "esp32c5": 0x600B4800,
    "esp32c6": 0x600B0800,
    "esp32h2": 0x600B0800,
    "esp32p4": 0x5012D000,
}
_POLLS = const(2000)  # a block takes some microseconds
_DONE = const(2)


# Base, whether one core has the chip to itself, and the clocks and resets of HMAC, SHA and DS as
# (register, ones, zeros, HMAC's reset): DS in reset would hold SHA there as well.
def _silicon(chip):
    if chip == "esp32s3":
        return 0x6003E000, False, _system(0x600C001C, 0x600C0024)
    if chip == "esp32c3":
        return 0x6003E000, True, _system(0x600C0014, 0x600C001C)
    if chip == "esp32s2":
        return 0x6003E000, True, _system(0x3F4C0044, 0x3F4C004C)
    if chip == "esp32c6":
        return 0x6008D000, True, _pcr(0x600960E4, 0x600960E0, 0x600960CC)
    if chip == "esp32h2":
        return 0x6008D000, True, _pcr(0x600960E0, 0x600960DC, 0x600960C8)
    if chip == "esp32c5":
        return 0x6008D000, True, _pcr(0x600960E8, 0x600960E4, 0x600960D0)
    if chip == "esp32p4":
        clocks, resets = 0x500E60A8, 0x500E60C8
        return 0x50095000, False, ((clocks, 0x128000, 0, 0), (resets, 0, 0x1E4000, 0x80000))
    raise Trouble("signer.absent", "%s has no HMAC peripheral" % chip)


def _system(clocks, resets):
    return ((clocks, 0x34, 0, 0), (resets, 0, 0x34, 0x20))


def _pcr(hmac, ds, sha):
    return ((hmac, 1, 2, 2), (ds, 1, 2, 0), (sha, 1, 2, 0))


# The block whose purpose is HMAC_UP; of several the highest, as the lower ones can hold what KEY5
# cannot (NVS or flash encryption).
def _key_block(chip):
    base = _FUSES[chip]
    low, high = machine.mem32[base + 0x34], machine.mem32[base + 0x38]
    bits = (low & 0xFFFFFFFF) | (high & 0xFFFFFFFF) << 32
    start, width = (22, 5) if chip == "esp32c5" else (24, 4)
    for n in range(5, -1, -1):
        if bits >> start + n * width & (1 << width) - 1 == _HMAC_UP:
            return n
    raise Trouble("signer.no-key", "no eFuse block has the purpose HMAC_UP")


class EfuseKey:
    alg = cose.HMAC_256
    public = None

    def __init__(self, silicon, block):
        self._base, self._alone, self._switches = silicon
        self._block = block
        self.kid = self.sign(_KID)[:8]

    # HMAC-SHA256. A stuck run is tried once more. With a second core, whose Wi-Fi may take the SHA
    # engine in between, two runs in a row must agree.
    def sign(self, structure):
        padded = _pad(structure)
        last = None
        for _ in range(2 if self._alone else 4):
            mac = self._run(padded)
            if mac and (self._alone or mac == last):
                return mac
            last = mac
        raise Trouble("signer.busy", "the HMAC peripheral gives no steady result")

    # One run with nothing in between; None when the peripheral stays busy.
    def _run(self, padded):
        masked = machine.disable_irq() if self._alone else None
        try:
            return self._drive(machine.mem32, self._base, padded)
        finally:
            if masked is not None:
                machine.enable_irq(masked)

    def _drive(self, mem, base, padded):
        for register, ones, zeros, reset in self._switches:
            now = mem[register] & 0xFFFFFFFF
            mem[register] = now | ones | reset
            mem[register] = now & ~zeros | ones
        if not _step(mem, base, _START):
            return None
        mem[base + _PURPOSE] = _HMAC_UP
        mem[base + _KEY] = self._block
        if not _step(mem, base, _PARA_FINISH):
            return None
        if mem[base + _ERROR]:
            mem[base + _RESULT_FINISH] = _DONE
            raise Trouble("signer.purpose", "key block %d is not for HMAC" % self._block)
        last = len(padded) - 64
        for at in range(0, len(padded), 64):
            if at and not _step(mem, base, _ING if at < last else _PAD):
                return None
            for i in range(0, 64, 4):
                mem[base + _WDATA + i] = int.from_bytes(padded[at + i : at + i + 4], "little")
            if not _step(mem, base, _ONE):
                return None
        if not last and not _step(mem, base, _ONE_BLOCK):
            return None
        words = [mem[base + _RDATA + i] & 0xFFFFFFFF for i in range(0, 32, 4)]
        mem[base + _RESULT_FINISH] = _DONE
        return b"".join([word.to_bytes(4, "little") for word in words])


# Goes on to the next step once the one before is done, and waits for it: False when it never ends.
def _step(mem, base, register):
    mem[base + register] = 1
    return any(not mem[base + _BUSY] & 1 for _ in range(_POLLS))


# FIPS 180-4 section 5.1.1, in software; the key's own block comes before the message.
def _pad(message):
    tail = b"\x80" + bytes((55 - len(message)) % 64)
    return message + tail + (len(message) * 8 + 512).to_bytes(8, "big")


def load(_settings=None):
    from .. import image

    running = esp32.Partition(esp32.Partition.RUNNING)  # type: ignore[arg-type]  # stub: str only
    chip = image.chip(image.reader(running))
    forget("image", "chip_table")
    silicon = _silicon(chip)
    return EfuseKey(silicon, _key_block(chip))


# The line burns the key; here it is only proven: two messages give two answers, each the same
# twice, and neither is that of an empty block, which everybody could compute.
def create(settings=None):
    key = load(settings)
    first, second = key.sign(b"troth self-test 1"), key.sign(b"troth self-test 2")
    steady = first == key.sign(b"troth self-test 1") and key.sign(_KID)[:8] == key.kid
    if not steady or first == second:
        raise Trouble("signer.test", "the HMAC peripheral does not repeat its own answers")
    if first == _of_empty_key(b"troth self-test 1"):
        raise Trouble("signer.no-key", "the eFuse block of the HMAC key is empty")
    return key


def _of_empty_key(message):
    inner = sha256(b"\x36" * 64 + message).digest()
    return sha256(b"\x5c" * 64 + inner).digest()
