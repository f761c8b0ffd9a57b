# What lies in flash, measured by reading it back: images, who signed them, the partition table
# (esp_app_format.h, esp_app_desc.h, secure boot v2). `read(at, buffer)` fills a buffer from there;
# what takes long is a generator that stops every few kilobytes.
from binascii import crc32
from hashlib import sha256

from micropython import const

from .chip_table import CHIPS

# labels of troth.cddl
_APP_SECVER = const(14)
_ELF_DIGEST = const(31)
_APP_VERSION = const(35)
_IDF_VERSION = const(36)

_BLOCK = const(4096)
_PART = const(1024)  # read at once
_SLICE = const(16384)  # read between two stops
_MAGIC = const(0xE9)
_HEADER = const(24)
_MAX_SEGMENTS = const(16)
_DESCRIPTOR = const(0x20)
_DESCRIPTOR_MAGIC = b"\x32\x54\xcd\xab"
_SIGNATURE = const(1216)
_SIGNED = const(1196)  # of a signature block, its CRC comes next
# version -> where the key ends that begins at 36: RSA-3072, ECDSA
_KEY_ENDS = {2: 812, 3: 101}
_ROW = const(32)
_MAX_ROWS = const(96)


def reader(partition):
    return lambda at, buf: partition.readblocks(at // _BLOCK, buf, at % _BLOCK)


# The chip this image was built for, else None: the one hint that a file cannot change.
def chip(read):
    header = _read(read, 0, _HEADER)
    if header[0] != _MAGIC:
        return None
    for name in CHIPS:
        if CHIPS[name][0] == header[12] | header[13] << 8:
            return name
    return None


# What an app image says of itself, by the claims' labels; a stock build of MicroPython names no
# version.
def describe(read):
    said: dict = {}
    text = _read(read, _DESCRIPTOR, 176)
    if text[:4] == _DESCRIPTOR_MAGIC:
        said[_APP_SECVER] = int.from_bytes(text[4:8], "little")
        if any(text[144:]):
            said[_ELF_DIGEST] = bytes(text[144:])
        for name, at in ((_APP_VERSION, 16), (_IDF_VERSION, 112)):
            word = bytes(text[at : at + 32]).split(b"\0")[0]
            if word and all(32 <= byte < 127 for byte in word):
                said[name] = word.decode()
    return said


# SHA-256 from the first byte up to the appended hash; does that hash agree (None: there is none);
# and where the image ends. None when there is no whole image within `room`.
def measure(read, room):
    header = _read(read, 0, _HEADER)
    end = _length(read, header, room)
    if end is None:
        return None
    digest = sha256()
    part = bytearray(_PART)
    view = memoryview(part)
    for at in range(0, end, _PART):
        read(at, part)
        digest.update(view[: min(_PART, end - at)])
        if not (at + _PART) % _SLICE:
            yield 0
    digest = digest.digest()
    if header[23] != 1:
        return digest, None, end
    return digest, _read(read, end, 32) == digest, end + 32


# The digests of the keys that signed an image that ends here, and the digest that they signed.
def signers(read, end, room):
    keys: list = []
    signed = None
    at = (end + _BLOCK - 1) & ~(_BLOCK - 1)
    while len(keys) < 3 and at + _SIGNATURE <= room:
        block = _read(read, at, _SIGNATURE)
        key_end = _KEY_ENDS.get(block[1])
        crc = int.from_bytes(block[_SIGNED : _SIGNED + 4], "little")
        if block[0] != 0xE7 or not key_end or crc32(memoryview(block)[:_SIGNED]) != crc:
            break
        keys.append(sha256(memoryview(block)[36:key_end]).digest())
        signed = signed or bytes(block[4:36])
        at += _SIGNATURE
    return keys, signed


# Where the partition table lies, and the digest of its rows; None: it was not found.
def table(read):
    for at in range(0x8000, 0x20000, _BLOCK):
        digest = sha256()
        for n in range(_MAX_ROWS):
            row = _read(read, at + n * _ROW, _ROW)
            if row[:2] != b"\xaa\x50" and row[:2] != b"\xeb\xeb":
                break
            digest.update(row)
            if row[0] == 0xEB:  # the MD5 of the rows closes a table
                return at, digest.digest()
    return None


# True when the first block is erased flash.
def is_empty(read):
    return all(_read(read, at, 256) == b"\xff" * 256 for at in range(0, _BLOCK, 256))


def _length(read, header, room):
    if header[0] != _MAGIC or not 1 <= header[1] <= _MAX_SEGMENTS:
        return None
    room -= 32
    at = _HEADER
    for _ in range(header[1]):
        at += 8 + int.from_bytes(_read(read, at, 8)[4:], "little")
        if at >= room:
            return None
    end = (at + 16) & ~15  # the checksum is the last byte of a row of 16
    return end if end <= room else None


def _read(read, at, size):
    buf = bytearray(size)
    read(at, buf)
    return buf
