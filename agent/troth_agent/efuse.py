# Security state from the fuses' read registers (`peek` is machine.mem32; an address of another chip
# can fault, so the caller must know the chip). Where they lie: chip_table.py.
# Key material is read for one purpose only: digests of secure-boot public keys.
from micropython import const

from .chip_table import CHIPS, LAYOUTS

# labels of troth.cddl
_SECURE_BOOT = const(2)
_SECURE_BOOT_DIGESTS = const(3)
_KEY_SLOTS_FREE = const(4)
_FLASH_ENC = const(5)
_FLASH_ENC_MODE = const(6)
_JTAG = const(7)
_DL_MODE = const(8)
_SECVER_FUSE = const(13)
_KEY_BLOCKS_READABLE = const(27)
_FUSES = const(29)
_OEMBOOT = const(262)
_DBGSTAT = const(263)

# numbers of fuses in the table
_RD_DIS = const(0)
_SECURE_VERSION = const(1)
_WR_DIS = const(2)
_DIS_DOWNLOAD_MANUAL_ENCRYPT = const(3)
_DIS_DOWNLOAD_MODE = const(4)
_ENABLE_SECURITY_DOWNLOAD = const(5)
_SECURE_BOOT_EN = const(6)
_SPI_BOOT_CRYPT_CNT = const(7)
_DIS_PAD_JTAG = const(10)
_KEY_PURPOSE_0 = const(11)
_SECURE_BOOT_KEY_REVOKE0 = const(18)
_SOFT_DIS_JTAG = const(21)
_DIS_USB_JTAG = const(23)
_HARD_DIS_JTAG = const(27)
_XTS_KEY_LENGTH_256 = const(28)
# and of the classic chip alone
_ABS_DONE_0 = const(4)
_ABS_DONE_1 = const(5)
_DISABLE_DL_CACHE = const(8)
_DISABLE_DL_DECRYPT = const(9)
_DISABLE_DL_ENCRYPT = const(10)
_FLASH_CRYPT_CNT = const(11)
_JTAG_DISABLE = const(13)
_UART_DOWNLOAD_DIS = const(14)

_USER = const(0)
_DIGEST0 = const(9)
_DIGEST2 = const(11)
_KEY_BYTES = const(32)


# The fuses of one chip, by number.
class Fuses:
    def __init__(self, chip, peek):
        self._peek = peek
        _, _, self.layout, self._base, self._places = CHIPS[chip]
        self._words, self._keys, self.blocks, self._fixed = LAYOUTS[self.layout]

    # how many bits it has; 0: there is none on this chip
    def bits(self, number):
        place = self._place(number)
        return (place & 31) + 1 if place else 0

    # its value; 0 when there is none on this chip
    def get(self, number):
        place = self._place(number)
        word = self._word(place >> 10 << 2) if place else 0
        return word >> (place >> 5 & 31) & ((2 << (place & 31)) - 1)

    def _place(self, number):
        return int.from_bytes(self._places[number * 2 : number * 2 + 2], "big")

    # closed, or never there
    def shut(self, number):
        return not self._place(number) or self.get(number) == 1

    # nobody can count flash encryption on
    def is_fixed(self, count):
        last = (1 << self.bits(count)) - 1
        return self.get(count) == last or self.get(_WR_DIS) >> self._fixed & 1 == 1

    # the security words of block 0: no key, no address
    def words(self):
        return b"".join([self._word(at * 4).to_bytes(4, "little") for at in self._words])

    # a block that the caller knows to be public
    def block(self, n, start=0):
        at = self._keys + _KEY_BYTES * n
        words = [self._word(at + i) for i in range(start, _KEY_BYTES, 4)]
        return b"".join([word.to_bytes(4, "little") for word in words])

    def _word(self, offset):
        return self._peek[self._base + offset] & 0xFFFFFFFF


# What the fuses say, by the claims' labels; empty for a chip whose map we do not hold.
def read(chip, peek):
    if chip not in CHIPS:
        return {}
    fuses = Fuses(chip, peek)
    if fuses.layout == "E":
        said = _esp32(fuses)
    elif fuses.layout == "C2":
        said = _c2(fuses)
    else:
        said = _common(fuses)
    said[_OEMBOOT] = said[_SECURE_BOOT]
    # RFC 9711 section 4.2.9: 0 enabled, 1 disabled, 3 disabled permanently
    said[_DBGSTAT] = {"enabled": 0, "protected": 1, "disabled": 3}[said[_JTAG]]
    said[_SECVER_FUSE] = _ones(fuses.get(_SECURE_VERSION))
    said[_FUSES] = fuses.words()
    return said


# Six key blocks, each with a purpose. Without a digest that is not revoked nothing starts, or
# nothing is checked: that is no secure boot.
def _common(fuses):
    purposes = [fuses.get(_KEY_PURPOSE_0 + n) for n in range(fuses.blocks)]
    digests = []
    free = 0
    for slot in range(3):
        used = _DIGEST0 + slot in purposes
        revoked = fuses.get(_SECURE_BOOT_KEY_REVOKE0 + slot)
        if used and not revoked:
            digest = fuses.block(purposes.index(_DIGEST0 + slot))
            if digest != bytes(_KEY_BYTES):
                digests.append(digest)
        elif not used and not revoked:
            free += 1
    said = _modern(fuses)
    said[_SECURE_BOOT] = fuses.get(_SECURE_BOOT_EN) == 1 and bool(digests)
    said[_SECURE_BOOT_DIGESTS] = digests
    said[_KEY_SLOTS_FREE] = free
    said[_KEY_BLOCKS_READABLE] = _readable(purposes, fuses.get(_RD_DIS))
    return said


# One key block without a purpose: the flash key, or its lower half beside half a digest. A digest
# of which only half is known is not said.
def _c2(fuses):
    said = _modern(fuses)
    count = fuses.get(_SPI_BOOT_CRYPT_CNT)
    enabled = fuses.get(_SECURE_BOOT_EN) == 1
    # a flash key of 256 bits leaves no room for a digest
    whole = count != 0 and fuses.get(_XTS_KEY_LENGTH_256) == 1
    said[_SECURE_BOOT] = enabled and not whole and fuses.block(0, 16) != bytes(16)
    if not said[_SECURE_BOOT]:
        said[_SECURE_BOOT_DIGESTS] = []
    said[_KEY_SLOTS_FREE] = 0 if enabled or whole else 1
    hidden = 3 if whole else 1
    said[_KEY_BLOCKS_READABLE] = int(count != 0 and fuses.get(_RD_DIS) & hidden != hidden)
    return said


def _modern(fuses):
    count = fuses.get(_SPI_BOOT_CRYPT_CNT)
    usb = fuses.shut(_DIS_USB_JTAG)
    jtag = "enabled"
    if usb and fuses.shut(_DIS_PAD_JTAG) and fuses.shut(_HARD_DIS_JTAG):
        jtag = "disabled"
    elif usb and _ones(fuses.get(_SOFT_DIS_JTAG)) & 1:
        jtag = "protected"  # an HMAC key can open it again
    dl_mode = "enabled"
    if fuses.get(_DIS_DOWNLOAD_MODE):
        dl_mode = "disabled"
    elif fuses.get(_ENABLE_SECURITY_DOWNLOAD):
        dl_mode = "secure"
    loader = fuses.get(_DIS_DOWNLOAD_MANUAL_ENCRYPT)
    return {
        _FLASH_ENC: _ones(count) & 1 == 1,
        _FLASH_ENC_MODE: _mode(count, fuses.is_fixed(_SPI_BOOT_CRYPT_CNT) and loader),
        _JTAG: jtag,
        _DL_MODE: dl_mode,
    }


# Block 1 is the flash key. Block 2 is a secret of the chip in version 1 of secure boot
# (ABS_DONE_0), the key's digest in version 2 (ABS_DONE_1).
def _esp32(fuses):
    count = fuses.get(_FLASH_CRYPT_CNT)
    v1, v2 = fuses.get(_ABS_DONE_0), fuses.get(_ABS_DONE_1)
    hidden = fuses.get(_RD_DIS)
    digest = fuses.block(1) if v2 else b""
    if v2 and digest == bytes(_KEY_BYTES):
        digest = b""
    readable = int(count != 0 and not hidden & 1)
    if v1 and not v2:
        readable += int(not hidden & 2)
    loader = fuses.get(_DISABLE_DL_ENCRYPT) and fuses.get(_DISABLE_DL_DECRYPT)
    loader = loader and fuses.get(_DISABLE_DL_CACHE)
    released = fuses.is_fixed(_FLASH_CRYPT_CNT) and loader
    said = {
        _SECURE_BOOT: bool(digest) or v1 == 1,
        _FLASH_ENC: _ones(count) & 1 == 1,
        _FLASH_ENC_MODE: _mode(count, released),
        _JTAG: "disabled" if fuses.get(_JTAG_DISABLE) else "enabled",
        _DL_MODE: "disabled" if fuses.get(_UART_DOWNLOAD_DIS) else "enabled",
        _KEY_BLOCKS_READABLE: readable,
    }
    if v2 or not v1:
        said[_SECURE_BOOT_DIGESTS] = [digest] if digest else []
        said[_KEY_SLOTS_FREE] = 0 if v2 else 1
    return said


# Blocks that hold a secret and can still be read by any code. KEYn is bit n of RD_DIS.
def _readable(purposes, hidden):
    count = 0
    for n, purpose in enumerate(purposes):
        public = purpose == _USER or _DIGEST0 <= purpose <= _DIGEST2
        if not public and not hidden >> n & 1:
            count += 1
    return count


def _mode(count, released):
    if not _ones(count) & 1:
        return "off"
    return "release" if released else "development"


def _ones(value):
    count = 0
    while value:
        value &= value - 1
        count += 1
    return count
