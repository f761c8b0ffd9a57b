# Security state from the fuses' read registers (`peek` is machine.mem32; an address of another chip
# can fault, so the caller must know the chip). Where they lie: efuse_table.py.
# Key material is read for one purpose only: digests of secure-boot public keys.
from micropython import const

from .efuse_table import NAMES, ROWS

_USER = const(0)
_DIGEST0 = const(9)
_DIGEST2 = const(11)
_KEY_BYTES = const(32)
_LOADER = ("DISABLE_DL_ENCRYPT", "DISABLE_DL_DECRYPT", "DISABLE_DL_CACHE")


# The fuses of one chip, by name.
class Fuses:
    def __init__(self, chip, peek):
        self._peek = peek
        row = ROWS[chip]
        self.layout, self._base, self._words, self._keys, self.blocks, self._fixed, self._at = row

    # how many bits it has; 0: there is none on this chip
    def bits(self, name):
        at = NAMES.index(name) * 3
        return self._at[at + 2] if at < len(self._at) else 0

    # its value; 0 when there is none on this chip
    def get(self, name):
        bits = self.bits(name)
        if not bits:
            return 0
        at = NAMES.index(name) * 3
        return self._word(self._at[at] * 4) >> self._at[at + 1] & ((1 << bits) - 1)

    # closed, or never there
    def shut(self, name):
        return not self.bits(name) or self.get(name) == 1

    # nobody can count flash encryption on
    def is_fixed(self, count):
        last = (1 << self.bits(count)) - 1
        return self.get(count) == last or self.get("WR_DIS") >> self._fixed & 1 == 1

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


# What the fuses say, by claim name; empty for a chip whose map we do not hold.
def read(chip, peek):
    if chip not in ROWS:
        return {}
    fuses = Fuses(chip, peek)
    if fuses.layout == "E":
        said = _esp32(fuses)
    elif fuses.layout == "C2":
        said = _c2(fuses)
    else:
        said = _common(fuses)
    said["oemboot"] = said["secure_boot"]
    # RFC 9711 section 4.2.9: 0 enabled, 1 disabled, 3 disabled permanently
    said["dbgstat"] = {"enabled": 0, "protected": 1, "disabled": 3}[said["jtag"]]
    said["secver_fuse"] = _ones(fuses.get("SECURE_VERSION"))
    said["fuses"] = fuses.words()
    return said


# Six key blocks, each with a purpose. Without a digest that is not revoked nothing starts, or
# nothing is checked: that is no secure boot.
def _common(fuses):
    purposes = [fuses.get("KEY_PURPOSE_%d" % n) for n in range(fuses.blocks)]
    digests = []
    free = 0
    for slot in range(3):
        used = _DIGEST0 + slot in purposes
        revoked = fuses.get("SECURE_BOOT_KEY_REVOKE%d" % slot)
        if used and not revoked:
            digest = fuses.block(purposes.index(_DIGEST0 + slot))
            if digest != bytes(_KEY_BYTES):
                digests.append(digest)
        elif not used and not revoked:
            free += 1
    said = _modern(fuses)
    said["secure_boot"] = fuses.get("SECURE_BOOT_EN") == 1 and bool(digests)
    said["secure_boot_digests"] = digests
    said["key_slots_free"] = free
    said["key_blocks_readable"] = _readable(purposes, fuses.get("RD_DIS"))
    return said


# One key block without a purpose: the flash key, or its lower half beside half a digest. A digest
# of which only half is known is not said.
def _c2(fuses):
    said = _modern(fuses)
    count = fuses.get("SPI_BOOT_CRYPT_CNT")
    enabled = fuses.get("SECURE_BOOT_EN") == 1
    # a flash key of 256 bits leaves no room for a digest
    whole = count != 0 and fuses.get("XTS_KEY_LENGTH_256") == 1
    said["secure_boot"] = enabled and not whole and fuses.block(0, 16) != bytes(16)
    if not said["secure_boot"]:
        said["secure_boot_digests"] = []
    said["key_slots_free"] = 0 if enabled or whole else 1
    hidden = 3 if whole else 1
    said["key_blocks_readable"] = int(count != 0 and fuses.get("RD_DIS") & hidden != hidden)
    return said


def _modern(fuses):
    count = fuses.get("SPI_BOOT_CRYPT_CNT")
    usb = fuses.shut("DIS_USB_JTAG")
    jtag = "enabled"
    if usb and fuses.shut("DIS_PAD_JTAG") and fuses.shut("HARD_DIS_JTAG"):
        jtag = "disabled"
    elif usb and _ones(fuses.get("SOFT_DIS_JTAG")) & 1:
        jtag = "protected"  # an HMAC key can open it again
    dl_mode = "enabled"
    if fuses.get("DIS_DOWNLOAD_MODE"):
        dl_mode = "disabled"
    elif fuses.get("ENABLE_SECURITY_DOWNLOAD"):
        dl_mode = "secure"
    loader = fuses.get("DIS_DOWNLOAD_MANUAL_ENCRYPT")
    return {
        "flash_enc": _ones(count) & 1 == 1,
        "flash_enc_mode": _mode(count, fuses.is_fixed("SPI_BOOT_CRYPT_CNT") and loader),
        "jtag": jtag,
        "dl_mode": dl_mode,
    }


# Block 1 is the flash key. Block 2 is a secret of the chip in version 1 of secure boot
# (ABS_DONE_0), the key's digest in version 2 (ABS_DONE_1).
def _esp32(fuses):
    count = fuses.get("FLASH_CRYPT_CNT")
    v1, v2 = fuses.get("ABS_DONE_0"), fuses.get("ABS_DONE_1")
    hidden = fuses.get("RD_DIS")
    digest = fuses.block(1) if v2 else b""
    if v2 and digest == bytes(_KEY_BYTES):
        digest = b""
    readable = int(count != 0 and not hidden & 1)
    if v1 and not v2:
        readable += int(not hidden & 2)
    released = fuses.is_fixed("FLASH_CRYPT_CNT") and all(fuses.get(name) for name in _LOADER)
    said = {
        "secure_boot": bool(digest) or v1 == 1,
        "flash_enc": _ones(count) & 1 == 1,
        "flash_enc_mode": _mode(count, released),
        "jtag": "disabled" if fuses.get("JTAG_DISABLE") else "enabled",
        "dl_mode": "disabled" if fuses.get("UART_DOWNLOAD_DIS") else "enabled",
        "key_blocks_readable": readable,
    }
    if v2 or not v1:
        said["secure_boot_digests"] = [digest] if digest else []
        said["key_slots_free"] = 0 if v2 else 1
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
