# The eFuse controller of seven chips as its registers show it: data and check symbols in, a key
# word and a command that burns one block; read registers follow at the next read command. After
# Espressif's technical references (chapter eFuse Controller). Of what WR_DIS forbids in block 0
# RD_DIS alone is modelled; a code that does not fit shows as errors until the next start.
_CONF = 0x1CC
_CMD = {"esp32c5": 0x1D8}
_CHIPS = ("esp32s2", "esp32s3", "esp32c3", "esp32c5", "esp32c6", "esp32h2", "esp32p4")
_BURN, _READ = 0x5A5A, 0x5AA5
_WR_DIS, _RD_DIS, _KEY0 = 0x2C, 0x30, 0x9C
_ERRORS = 0x1C0


# `load()` gives the fuse file, `keep(data)` keeps it, `hide(n, key)` keeps what no register shows.
class Burner:
    polls = 2  # how often a command says that it is not done

    def __init__(self, chip, load, keep, hide):
        self._keep, self._hide = keep, hide
        self._there = chip in _CHIPS
        self._cmd = _CMD.get(chip, 0x1D4)
        self._fuses = bytearray(load())  # as burned
        self._shown = bytes(self._fuses)  # as the read registers have them
        self._data = [0] * 11
        self._conf = self._command = self._left = 0
        self._errors = [0, 0]

    # A read register; the file runs backwards, the register at o ends o bytes before its end.
    def word(self, at):
        end = len(self._shown) - at
        return int.from_bytes(self._shown[end - 4 : end], "big") if 4 <= end else None

    # a register of the controller itself, or None
    def read(self, at):
        if not self._there:
            return None
        if 0 <= at < 0x2C:
            return self._data[at // 4]
        if at == _CONF:
            return self._conf
        if at in (_ERRORS, _ERRORS + 4):
            return self._errors[(at - _ERRORS) // 4]
        if at == self._cmd:
            self._left -= self._left > 0
            return self._command if self._left else 0
        return None

    # False: no register that can be written
    def write(self, at, value):
        if not self._there or self._left:
            return self._there and 0 <= at <= self._cmd
        if 0 <= at < 0x2C:
            self._data[at // 4] = value
        elif at == _CONF:
            self._conf = value
        elif at == self._cmd:
            self._command, self._left = value, self.polls
            if value & 1 and self._conf == _READ:
                self._shown = bytes(self._fuses)
            elif value & 2 and self._conf == _BURN:
                self._burn(value >> 2 & 15)
        else:
            return False
        return True

    def _burned(self, at):
        end = len(self._fuses) - at
        return int.from_bytes(self._fuses[end - 4 : end], "big")

    def _add(self, at, ones):
        end = len(self._fuses) - at
        self._fuses[end - 4 : end] = (self._burned(at) | ones).to_bytes(4, "big")

    def _burn(self, block):
        wr_dis, words = self._burned(_WR_DIS), self._data[:8]
        if block == 0:
            if wr_dis & 1:
                words[1] &= ~0x7F
            words = words[:6]
        elif block > 10 or wr_dis >> 19 + block & 1:
            return
        else:
            self._check(block)
        at = (_WR_DIS, 0x44)[block] if block < 2 else 0x5C + 32 * (block - 2)
        for i in range(6 if block < 2 else 8):
            self._add(at + 4 * i, words[i])
        self._put_away()
        self._keep(bytes(self._fuses))

    # Each block but the first is a codeword, so it takes one burning and its right check symbols.
    def _check(self, block):
        at = 0x44 if block == 1 else 0x5C + 32 * (block - 2)
        data = b"".join([word.to_bytes(4, "little") for word in self._data])
        used = any(self._burned(at + 4 * i) for i in range(6 if block == 1 else 8))
        if used or _check_symbols(data[:32]) != data[32:]:
            n = block - 1
            self._errors[n // 8] |= 7 << 4 * (n % 8)

    # A key that RD_DIS hides is used by the chip and shown to nobody.
    def _put_away(self):
        for n in range(6):
            places = [_KEY0 + 32 * n + 4 * i for i in range(8)]
            key = b"".join([self._burned(at).to_bytes(4, "little") for at in places])
            if self._burned(_RD_DIS) >> n & 1 and any(key):
                self._hide(n, key)
                end = len(self._fuses) - places[0]
                self._fuses[end - 32 : end] = bytes(32)


# RS(44, 32) over GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1: twelve check symbols, roots 2^0 to 2^11.
def _check_symbols(data):
    generator, root = [1], 1
    for _ in range(12):
        longer = generator + [0]
        for i in range(len(generator)):
            longer[i + 1] ^= _times(generator[i], root)
        generator, root = longer, _times(root, 2)
    rest = list(data) + [0] * 12
    for i in range(len(data)):
        for j in range(1, 13):
            rest[i + j] ^= _times(generator[j], rest[i])
    return bytes(rest[len(data) :])


def _times(a, b):
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11D if a & 0x80 else 0)
        b >>= 1
    return product
