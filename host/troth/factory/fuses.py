"""What the line reads off a chip's fuses itself, word by word, whatever the agent says of them.

Where they lie is in boards/<chip>/board.toml; only what decides the trust profile is decoded here.
"""

from __future__ import annotations

import struct
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ..bundled import bundled
from ..trouble import Trouble


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the security words are read, and the two decisive fuses as (word, bit, width)."""

    addresses: tuple[int, ...]
    secure_boot: tuple[tuple[int, int, int], ...]
    crypt_count: tuple[int, int, int]
    fields: Mapping[str, tuple[int, int, int]]  # all that lie in these words


_SECURE_BOOT = ("SECURE_BOOT_EN", "ABS_DONE_0", "ABS_DONE_1")
_CRYPT_COUNT = ("SPI_BOOT_CRYPT_CNT", "FLASH_CRYPT_CNT")


@cache
def _layout(chip: str) -> _Layout:
    path = bundled("boards") / chip / "board.toml"
    if not chip.isalnum() or not path.is_file():
        raise Trouble(
            "board.chip-unknown", f"the fuses of {chip} cannot be read yet", fix="use another chip"
        )
    efuse = tomllib.loads(path.read_text(encoding="utf-8"))["efuse"]
    words = efuse["words"]
    fields = {
        name: (words.index(at), bit, width)
        for name, (at, bit, width) in efuse["fields"].items()
        if at in words
    }

    def places(names: tuple[str, ...]) -> tuple[tuple[int, int, int], ...]:
        return tuple(fields[name] for name in names if name in fields)

    addresses = tuple(efuse["base"] + at for at in words)
    return _Layout(addresses, places(_SECURE_BOOT), places(_CRYPT_COUNT)[0], fields)


@dataclass(frozen=True, slots=True)
class Fuses:
    """The security words of one chip."""

    words: str  # hex, little endian, as in the claim `fuses`
    secure_boot: bool
    flash_encryption: bool


def security_words(chip: str, values: Mapping[str, int]) -> str:
    """The claim `fuses` of a chip whose fields show these values, as far as Troth lists them."""
    layout = _layout(chip)
    words = [0] * len(layout.addresses)
    for name, (word, bit, _) in layout.fields.items():
        words[word] |= values.get(name, 0) << bit
    return struct.pack(f"<{len(words)}I", *words).hex()


def read_code(chip: str) -> str:
    """MicroPython that prints the security words of this chip."""
    words = ",".join(f"machine.mem32[{at}]&0xffffffff" for at in _layout(chip).addresses)
    return f"import machine,json\nprint('troth: '+json.dumps({{'words':[{words}]}}))\n"


def decode(chip: str, words: list[int]) -> Fuses:
    """Security state from the words that the board read out."""
    layout = _layout(chip)
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
        any(field(place) for place in layout.secure_boot),
        field(layout.crypt_count).bit_count() % 2 == 1,
    )
