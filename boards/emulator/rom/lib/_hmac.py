# The HMAC peripheral of seven chips as its registers show it: clocks and resets, one step after the
# other, steps that take time, and a key that no register tells. After Espressif's technical
# references (chapters HMAC and Reset and Clock); it has nothing of the agent in it.
from hashlib import sha256

_HMAC_UP = 8
_SIZE = 0x100
_IDLE, _STARTED, _FAILED, _READY, _BLOCK, _NEXT, _LAST, _RESULT = range(8)


# Clock and reset bits of HMAC, DS and SHA share two words.
def _system(fuses, clocks, resets):
    on = [(clocks, 5), (clocks, 4), (clocks, 2)]
    off = [(resets, 5), (resets, 4), (resets, 2)]
    return 0x6003E000, fuses, 24, 4, on, off, {clocks: 0, resets: 0x7E}


# Each unit has a word of its own: bit 0 its clock, bit 1 its reset.
def _pcr(fuses, first, width, *words):
    on, off = [(word, 0) for word in words], [(word, 1) for word in words]
    return 0x6008D000, fuses, first, width, on, off, {word: 2 for word in words}


# base of HMAC and of the fuses, first bit and width of KEY_PURPOSE_0 from word 2 on, clock bits
# that must be on (HMAC first), reset bits that must be off, and the words as they are at power-on
_CHIPS = {
    "esp32s2": lambda: _system(0x3F41A000, 0x3F4C0044, 0x3F4C004C),
    "esp32s3": lambda: _system(0x60007000, 0x600C001C, 0x600C0024),
    "esp32c3": lambda: _system(0x60008800, 0x600C0014, 0x600C001C),
    "esp32c6": lambda: _pcr(0x600B0800, 24, 4, 0x600960E4, 0x600960E0, 0x600960CC),
    "esp32h2": lambda: _pcr(0x600B0800, 24, 4, 0x600960E0, 0x600960DC, 0x600960C8),
    "esp32c5": lambda: _pcr(0x600B4800, 22, 5, 0x600960E8, 0x600960E4, 0x600960D0),
    "esp32p4": lambda: (
        0x50095000,
        0x5012D000,
        24,
        4,
        [(0x500E60A8, bit) for bit in (17, 15, 20)],
        [(0x500E60C8, bit) for bit in (19, 17, 18, 14, 20)],  # also of all crypto, and of ECDSA
        {0x500E60A8: 0, 0x500E60C8: 0x1FFC000},
    ),
}


# `fuse(address)` reads a fuse register, `key(n)` is what lies in key block n.
class Hmac:
    polls = 2  # how often a step says busy before it is done

    def __init__(self, chip, fuse, key):
        self._fuse, self._key = fuse, key
        self._base, self._words = None, {}
        if chip in _CHIPS:
            self._base, self._fuses, first, width, on, off, words = _CHIPS[chip]()
            self._purpose_at, self._purpose_bits = first, width
            self._on, self._off, self._words = on, off, words
        self._reset()

    def _reset(self):
        self._state, self._left = _IDLE, 0
        self._purpose = self._block = 0
        self._data = bytearray(64)
        self._message = b""
        self._result = bytes(32)

    # the register at this address, or None: it is not of this unit
    def read(self, address):
        if address in self._words:
            return self._words[address]
        if self._base is None or not 0 <= address - self._base < _SIZE:
            return None
        if self._dead():
            return 0
        at = address - self._base
        if at == 0x68:
            return int(self._state == _FAILED)
        if at == 0x6C:
            return self._busy()
        if 0xC0 <= at < 0xE0 and self._state == _RESULT and not self._left:
            return int.from_bytes(self._result[at - 0xC0 : at - 0xBC], "little")
        return 0

    # False: it is not of this unit
    def write(self, address, value):
        if address in self._words:
            self._words[address] = value
            if self._dead():
                self._reset()
            return True
        if self._base is None or not 0 <= address - self._base < _SIZE:
            return False
        if not self._dead() and not self._left:
            self._take(address - self._base, value)
        return True

    # without a clock, or held in reset, registers are not there
    def _dead(self):
        (clock, on), (reset, off) = self._on[0], self._off[0]
        return not self._words[clock] >> on & 1 or self._words[reset] >> off & 1

    # SHA does the work; without a clock, or held in reset by itself or by DS, it never ends
    def _stalled(self):
        clocks = all(self._words[word] >> bit & 1 for word, bit in self._on)
        return not clocks or any(self._words[word] >> bit & 1 for word, bit in self._off)

    def _busy(self):
        if self._left and not self._stalled():
            self._left -= 1
        return int(self._left > 0)

    def _take(self, at, value):
        state = self._state
        if at == 0x40 and state == _IDLE and value & 1:
            self._go(_STARTED)
        elif at == 0x44 and state == _STARTED:
            self._purpose = value & 15
        elif at == 0x48 and state == _STARTED:
            self._block = value & 7
        elif at == 0x4C and state == _STARTED and value & 1:
            self._message = b""
            self._go(_READY if self._fits() else _FAILED)
        elif 0x80 <= at < 0xC0:
            self._data[at - 0x80 : at - 0x7C] = value.to_bytes(4, "little")
        elif at == 0x50 and state in (_READY, _NEXT, _LAST) and value & 1:
            self._message += bytes(self._data)
            self._go(_RESULT if state == _LAST else _BLOCK)
        elif at == 0x54 and state == _BLOCK and value & 1:
            self._go(_NEXT)
        elif at == 0xF0 and state == _BLOCK and value & 1:
            self._go(_LAST)
        elif at == 0xF4 and state == _BLOCK and value & 1 and len(self._message) == 64:
            self._go(_RESULT)
        elif at == 0x5C and value & 2:
            self._reset()

    def _go(self, state):
        self._state, self._left = state, self.polls
        if state == _RESULT:
            self._result = self._mac()

    # the purpose asked for must be the one that is burned for this block
    def _fits(self):
        if self._block > 5:
            return False
        low, high = self._fuse(self._fuses + 0x34), self._fuse(self._fuses + 0x38)
        shift = self._purpose_at + self._block * self._purpose_bits
        burned = (low | high << 32) >> shift & (1 << self._purpose_bits) - 1
        return self._purpose == burned == _HMAC_UP

    # The chip hashes what it is given; what is not padded as SHA-256 asks gives another value.
    def _mac(self):
        key = self._key(self._block)
        size = int.from_bytes(self._message[-8:], "big") // 8 - 64
        message = self._message[: max(size, 0)]
        zeros = len(self._message) - size - 9
        if not 0 <= zeros < 64 or self._message[len(message) : -8] != b"\x80" + bytes(zeros):
            message = self._message + b"?"
        inner = sha256(_mask(key, 0x36) + message).digest()
        return sha256(_mask(key, 0x5C) + inner).digest()


def _mask(key, byte):
    return bytes([k ^ byte for k in key]) + bytes([byte]) * 32
