# Security state from the fuses' read registers (`peek` is machine.mem32; an address of another chip
# can fault, so the caller must know the chip). Register map: Espressif's espefuse tables.
# Key material is read for one purpose only: digests of secure-boot public keys.
from micropython import const

_USER = const(0)
_DIGEST0 = const(9)
_DIGEST2 = const(11)

# Chips of the common layout: five words of block 0 from base + 0x2C, key n at base + 0x9C + 0x20 n.
# Fields are (word, bit, width); `usb` lists the fuses that close JTAG over USB.
_COMMON = {
    "esp32c3": (0x60008800, {"usb": ((1, 9, 1),), "secver": (4, 14, 16)}),
    "esp32s3": (0x60007000, {"usb": ((3, 22, 1),), "secver": (4, 14, 16)}),
}
_ESP32 = const(0x3FF5A000)


# What the fuses say, by claim name; empty for a chip whose map we do not hold.
def read(chip, peek):
    if chip == "esp32":
        return _esp32(peek)
    if chip in _COMMON:
        base, fields = _COMMON[chip]
        return _common(base, fields, peek)
    return {}


def _common(base, fields, peek):
    words = [peek[base + 0x2C + 4 * i] & 0xFFFFFFFF for i in range(5)]

    def field(word, bit, width):
        return words[word] >> bit & ((1 << width) - 1)

    purposes = [field(2, 24, 4), field(2, 28, 4)] + [field(3, bit, 4) for bit in (0, 4, 8, 12)]
    secure_boot = field(3, 20, 1) == 1
    digests = []
    free = 0
    for slot in range(3):
        used = _DIGEST0 + slot in purposes
        revoked = field(2, 21 + slot, 1)
        if used and not revoked:
            block = purposes.index(_DIGEST0 + slot)
            digests.append(_block(peek, base + 0x9C + 0x20 * block))
        elif not used and not revoked:
            free += 1
    # WR_DIS bit 4 fixes SPI_BOOT_CRYPT_CNT as burning all its bits does
    crypt = field(2, 18, 3)
    fixed = crypt == 7 or field(0, 4, 1)
    usb = all(field(*at) for at in fields["usb"])
    jtag = "enabled"
    if usb and field(1, 19, 1):
        jtag = "disabled"
    elif usb and _ones(field(1, 16, 3)) & 1:
        jtag = "protected"  # an HMAC key can open it again
    dl_mode = "enabled"
    if field(4, 0, 1):
        dl_mode = "disabled"
    elif field(4, 5, 1):
        dl_mode = "secure"
    return {
        "secure_boot": secure_boot,
        "secure_boot_digests": digests,
        "key_slots_free": free,
        "flash_enc": _ones(crypt) & 1 == 1,
        "flash_enc_mode": _mode(crypt, fixed and field(1, 20, 1)),
        "jtag": jtag,
        "dl_mode": dl_mode,
        "secver_fuse": _ones(field(*fields["secver"])),
        "key_blocks_readable": _readable(purposes, field(1, 0, 7)),
        "oemboot": secure_boot,
        "dbgstat": _dbgstat(jtag),
        "fuses": _pack(words),
    }


def _esp32(peek):
    words = [peek[_ESP32 + 4 * i] & 0xFFFFFFFF for i in range(7)]
    w0, w6 = words[0], words[6]
    crypt = w0 >> 20 & 0x7F
    v1, v2 = w6 >> 4 & 1, w6 >> 5 & 1
    read_protected = w0 >> 16 & 15
    # release: the counter is fixed (WR_DIS bit 2) and the loader neither en- nor decrypts
    released = (crypt == 0x7F or w0 >> 2 & 1) and w6 >> 7 & 7 == 7
    jtag = "disabled" if w6 >> 6 & 1 else "enabled"
    readable = int(crypt != 0 and not read_protected & 1)
    if v1 and not v2:
        readable += int(not read_protected & 2)  # version 1: block 2 is a secret key
    said = {
        "secure_boot": bool(v1 or v2),
        "flash_enc": _ones(crypt) & 1 == 1,
        "flash_enc_mode": _mode(crypt, released),
        "jtag": jtag,
        "dl_mode": "disabled" if w0 >> 27 & 1 else "enabled",
        "secver_fuse": _ones(peek[_ESP32 + 0x88] & 0xFFFFFFFF),
        "key_blocks_readable": readable,
        "oemboot": bool(v1 or v2),
        "dbgstat": _dbgstat(jtag),
        "fuses": _pack([w0] + words[3:]),  # noqa: RUF005 (not in MicroPython)
    }
    if v2 or not v1:
        said["secure_boot_digests"] = [_block(peek, _ESP32 + 0x58)] if v2 else []
        said["key_slots_free"] = 0 if v2 else 1
    return said


# Blocks that hold a secret and can still be read by any code. KEYn is bit n of RD_DIS.
def _readable(purposes, read_protected):
    count = 0
    for n in range(6):
        public = purposes[n] == _USER or _DIGEST0 <= purposes[n] <= _DIGEST2
        if not public and not read_protected >> n & 1:
            count += 1
    return count


def _mode(crypt, released):
    if not _ones(crypt) & 1:
        return "off"
    return "release" if released else "development"


# RFC 9711 section 4.2.9: 0 enabled, 1 disabled, 3 disabled permanently
def _dbgstat(jtag):
    return {"enabled": 0, "protected": 1, "disabled": 3}[jtag]


def _ones(value):
    count = 0
    while value:
        value &= value - 1
        count += 1
    return count


def _block(peek, address):
    return _pack([peek[address + 4 * i] & 0xFFFFFFFF for i in range(8)])


def _pack(words):
    return b"".join([word.to_bytes(4, "little") for word in words])
