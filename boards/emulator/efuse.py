"""The eFuse file of `espefuse --virt --path-efuse-file`: registers as words, last word first.

The register at base+o is the big-endian word that ends o bytes before the end of the file.
"""

from __future__ import annotations

from pathlib import Path

from emulator.chips import Chip, Field


class Fuses:
    """The fuses of one chip; burning only ever adds ones, as in silicon."""

    def __init__(self, chip: Chip, content: bytes | None = None) -> None:
        self._chip = chip
        self._bytes = bytearray(content or bytes(chip.efuse_bytes))

    def word(self, offset: int) -> int:
        """The register at this offset from the base."""
        end = len(self._bytes) - offset
        return int.from_bytes(self._bytes[end - 4 : end], "big")

    def burn_word(self, offset: int, value: int) -> None:
        """Add these ones to one register."""
        end = len(self._bytes) - offset
        self._bytes[end - 4 : end] = (self.word(offset) | value).to_bytes(4, "big")

    def get(self, name: str) -> int:
        """The value of one named field."""
        field = self._chip.fields[name]
        return self.word(field.offset) >> field.bit & _mask(field)

    def burn(self, name: str, value: int) -> None:
        """Add the ones of this value to one named field."""
        field = self._chip.fields[name]
        self.burn_word(field.offset, (value & _mask(field)) << field.bit)

    def burn_block(self, offset: int, data: bytes) -> None:
        """Add a key block, little-endian words in register order."""
        for at in range(0, len(data), 4):
            self.burn_word(offset + at, int.from_bytes(data[at : at + 4], "little"))

    def mac(self) -> bytes:
        """The chip's own address."""
        low, high = self.word(self._chip.mac_offset), self.word(self._chip.mac_offset + 4)
        return (high & 0xFFFF).to_bytes(2, "big") + low.to_bytes(4, "big")

    def content(self) -> bytes:
        """The bytes of the file."""
        return bytes(self._bytes)


def _mask(field: Field) -> int:
    return (1 << field.width) - 1


def new_fuses(
    chip: Chip, mac: bytes, profile: str, boot_key_digest: bytes | None, spare: tuple[str, ...] = ()
) -> Fuses:
    """A chip as its line leaves it: MAC and, for a hardened build, everything that closes it.

    `spare` names fields that this line forgot to burn.
    """
    fuses = Fuses(chip)
    fuses.burn_word(chip.mac_offset, int.from_bytes(mac[2:], "big"))
    crc = _crc8(mac) << 16 if chip.mac_crc else 0
    fuses.burn_word(chip.mac_offset + 4, int.from_bytes(mac[:2], "big") | crc)
    for name, value in chip.burn[profile].items():
        if name not in spare:
            fuses.burn(name, value)
    if boot_key_digest is not None:
        fuses.burn_block(chip.boot_digest, boot_key_digest[: chip.digest_bytes])
    return fuses


def _crc8(mac: bytes) -> int:
    """CRC-8 (Maxim), as the ESP32 keeps it beside its MAC."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8C if crc & 1 else 0)
    return crc


def read_fuses(chip: Chip, path: Path) -> Fuses:
    """The fuses in a board's folder."""
    return Fuses(chip, path.read_bytes())
