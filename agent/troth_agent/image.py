# The app image that runs, measured by reading it back (esp_app_format.h, esp_app_desc.h).
from hashlib import sha256

from micropython import const

_BLOCK = const(4096)
_PART = const(1024)  # read at once: a divisor of the block
_MAGIC = const(0xE9)
_HEADER = const(24)
_MAX_SEGMENTS = const(16)
_DESCRIPTOR = const(0x20)
_DESCRIPTOR_MAGIC = b"\x32\x54\xcd\xab"

_CHIPS = {
    0x00: "esp32",
    0x02: "esp32s2",
    0x05: "esp32c3",
    0x09: "esp32s3",
    0x0C: "esp32c2",
    0x0D: "esp32c6",
    0x10: "esp32h2",
    0x12: "esp32p4",
    0x17: "esp32c5",
}


# The chip this image was built for, else None: the one hint that a file cannot change.
def chip(partition):
    header = _read(partition, 0, 24)
    if header[0] != _MAGIC:
        return None
    return _CHIPS.get(header[12] | header[13] << 8)


# The anti-rollback version in the app descriptor, or None where there is no descriptor.
def secure_version(partition):
    descriptor = _read(partition, _DESCRIPTOR, 8)
    if descriptor[:4] != _DESCRIPTOR_MAGIC:
        return None
    return int.from_bytes(descriptor[4:], "little")


# SHA-256 from the first byte up to the appended hash, and whether that hash (if any) agrees.
# None when the partition holds no whole image.
def measure(partition):
    header = _read(partition, 0, _HEADER)
    end = _length(partition, header)
    if end is None:
        return None
    digest = sha256()
    part = bytearray(_PART)
    view = memoryview(part)
    for at in range(0, end, _PART):
        partition.readblocks(at // _BLOCK, part, at % _BLOCK)
        digest.update(view[: min(_PART, end - at)])
    digest = digest.digest()
    return digest, header[23] != 1 or _read(partition, end, 32) == digest


# True when the first block is erased flash.
def is_empty(partition):
    block = bytearray(256)
    for offset in range(0, _BLOCK, 256):
        partition.readblocks(0, block, offset)
        if block != b"\xff" * 256:
            return False
    return True


def _length(partition, header):
    if header[0] != _MAGIC or not 1 <= header[1] <= _MAX_SEGMENTS:
        return None
    room = partition.info()[3] - 32
    at = _HEADER
    for _ in range(header[1]):
        at += 8 + int.from_bytes(_read(partition, at, 8)[4:], "little")
        if at >= room:
            return None
    end = (at + 16) & ~15  # the checksum is the last byte of a row of 16
    return end if end <= room else None


def _read(partition, at, size):
    buf = bytearray(size)
    partition.readblocks(at // _BLOCK, buf, at % _BLOCK)
    return buf
