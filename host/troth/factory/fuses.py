"""What the line reads off a chip's fuses itself, word by word, whatever the agent says of them.

Register map as Espressif's espefuse has it; only what decides the trust profile is decoded here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..trouble import Trouble


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where block 0 is read, and its two decisive fields as (word, bit, width)."""

    addresses: tuple[int, ...]
    secure_boot: tuple[int, int, int]
    crypt_count: tuple[int, int, int]


def _common(base: int, boot_bit: int = 20, crypt_bit: int = 18) -> _Layout:
    words = tuple(base + 0x2C + 4 * n for n in range(5))
    return _Layout(words, (3, boot_bit, 1), (2, crypt_bit, 3))


_LAYOUTS = {
    # words 1 and 2 of the first ESP32 hold its MAC, no security state
    "esp32": _Layout(tuple(0x3FF5A000 + 4 * n for n in (0, 3, 4, 5, 6)), (4, 4, 2), (0, 20, 7)),
    "esp32s2": _common(0x3F41A000),
    "esp32s3": _common(0x60007000),
    "esp32c3": _common(0x60008800),
    "esp32c6": _common(0x600B0800),
    "esp32h2": _common(0x600B0800),
    "esp32p4": _common(0x5012D000),
    "esp32c5": _common(0x600B4800, boot_bit=25, crypt_bit=16),
}


@dataclass(frozen=True, slots=True)
class Fuses:
    """The security words of one chip."""

    words: str  # hex, little endian, as in the claim `fuses`
    secure_boot: bool
    flash_encryption: bool


def read_code(chip: str) -> str:
    """MicroPython that prints the security words of this chip."""
    if chip not in _LAYOUTS:
        raise Trouble(
            "board.chip-unknown", f"the fuses of {chip} cannot be read yet", fix="use another chip"
        )
    words = ",".join(f"machine.mem32[{at}]&0xffffffff" for at in _LAYOUTS[chip].addresses)
    return f"import machine,json\nprint('troth: '+json.dumps({{'words':[{words}]}}))\n"


def decode(chip: str, words: list[int]) -> Fuses:
    """Security state from the words that the board read out."""
    layout = _LAYOUTS[chip]
    if len(words) != len(layout.addresses) or not all(
        type(word) is int and 0 <= word < 1 << 32 for word in words
    ):
        raise Trouble(
            "board.answer", "the board's fuses cannot be read", fix="press reset and try again"
        )

    def field(place: tuple[int, int, int]) -> int:
        word, bit, width = place
        return words[word] >> bit & ((1 << width) - 1)

    return Fuses(
        struct.pack(f"<{len(words)}I", *words).hex(),
        field(layout.secure_boot) != 0,
        field(layout.crypt_count).bit_count() % 2 == 1,
    )
