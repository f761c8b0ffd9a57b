"""The plan of a hardened chip: which tool signs, burns and flashes what, in the order that holds.

Fuses come from the P2 profile of boards/<chip>/board.toml, the order from ESP-IDF's enablement
workflow: a key must be burned while RD_DIS can still hide it, secure boot must not be switched on
before its digest is there, and the port is closed last, for then nothing can be burned any more.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from ..bundled import bundled

# what stays in the folder of one chip
BOOT_KEY, FLASH_KEY, HMAC_KEY = "boot-key.pem", "flash-key.bin", "hmac-key.bin"
DIGEST = "boot-digest.bin"
SEAL = "seal"  # the last step
KEY_FILES = (BOOT_KEY, FLASH_KEY, HMAC_KEY, DIGEST)

_LAST = ("ENABLE_SECURITY_DOWNLOAD", "UART_DOWNLOAD_DIS")
_BOOT = ("SECURE_BOOT_", "ABS_DONE_1")
# burned with the keys, or counted up by the bootloader as it meets newer images
_ELSEWHERE = ("KEY_PURPOSE_", "RD_DIS", "WR_DIS", "SECURE_VERSION")
_HMAC_UP = 8
_TABLE_OFFSET = 0x10000
_HALF_KEY = "XTS_AES_128_KEY_DERIVED_FROM_128_EFUSE_BITS"


@dataclass(frozen=True, slots=True)
class Mark:
    """What one fuse shows when a step is done; the first mark of a step tells that it was begun."""

    field: str
    kind: str  # holds: has these ones; secret: neither read nor written; digest: our key; locked
    value: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One command. A step with marks burns, and what is burned stays."""

    name: str
    why: str
    tool: str
    words: tuple[str, ...]
    makes: str = ""
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """One file for the flash; what the ROM or the bootloader checks is signed."""

    name: str
    offset: int
    signed: bool

    @property
    def plain(self) -> str:
        return f"{self.name}.bin"

    @property
    def ready(self) -> str:
        """The file that is encrypted: the signed one where there is one."""
        return f"{self.name}-signed.bin" if self.signed else self.plain


@dataclass(frozen=True, slots=True)
class Chip:
    """What board.toml says that hardening must know."""

    id: str
    name: str
    layout: str
    scheme: str
    digest_bytes: int
    hmac: bool
    bootloader_offset: int
    flash_bytes: int
    oui: bytes
    efuse_bytes: int
    mac_offset: int
    burn: dict[str, int]

    def fuses(self, *starts: str) -> dict[str, int]:
        return {name: bits for name, bits in self.burn.items() if name.startswith(starts)}

    def closing(self) -> dict[str, int]:
        """Flash encryption, and every door that is neither the boot's nor the last one."""
        others = (*_LAST, *_BOOT, *_ELSEWHERE)
        return {name: bits for name, bits in self.burn.items() if not name.startswith(others)}


def chip_ids() -> list[str]:
    """Every chip with a board definition."""
    return sorted(path.parent.name for path in bundled("boards").glob("*/micropython"))


def board_document(chip: str) -> dict[str, Any]:
    """boards/<chip>/board.toml as it stands."""
    with (bundled("boards") / chip / "board.toml").open("rb") as file:
        return tomllib.load(file)


def load_chip(chip: str) -> Chip:
    """The chip of that name."""
    said = board_document(chip)
    return Chip(
        id=chip,
        name=said["chip"]["name"],
        layout=said["efuse"]["layout"],
        scheme=said["secure_boot"]["schemes"][0],
        digest_bytes=said["secure_boot"]["digest_bytes"],
        hmac=said["peripherals"]["hmac"],
        bootloader_offset=said["chip"]["bootloader_offset"],
        flash_bytes=said["chip"]["flash_bytes"],
        oui=bytes.fromhex(said["chip"]["oui"]),
        efuse_bytes=said["efuse"]["file_bytes"],
        mac_offset=said["efuse"]["mac"],
        burn=said["profiles"]["P2"]["burn"],
    )


def images(chip: Chip) -> tuple[Image, ...]:
    """What lies in the flash of a new board, in the order of its offsets."""
    return (
        Image("bootloader", chip.bootloader_offset, signed=True),
        Image("partition-table", _TABLE_OFFSET, signed=False),
        Image("app", _first_slot(chip.id), signed=True),
    )


def _first_slot(chip: str) -> int:
    table = bundled("boards") / chip / "micropython/partitions.csv"
    rows = (line.split(",") for line in table.read_text(encoding="utf-8").splitlines())
    return next(int(row[3], 0) for row in rows if row[0] == "ota_0")


def plan(chip: Chip, flash: tuple[Image, ...]) -> list[Step]:
    """All steps of one chip, in order."""
    return [*_making(chip, flash), *_burning(chip), *_flashing(chip, flash), _seal(chip)]


def _making(chip: Chip, flash: tuple[Image, ...]) -> list[Step]:
    half = ("--keylen", "128") if chip.digest_bytes < 32 else ()
    steps = [
        _secure("boot-key", "signs what this product may start", BOOT_KEY, "generate-signing-key",
                "--version", "2", "--scheme", chip.scheme, BOOT_KEY),
        _secure("boot-digest-file", "what the chip keeps of that key", DIGEST,
                "digest-sbv2-public-key", "--keyfile", BOOT_KEY, "--output", DIGEST),
        _secure("flash-key", "of this chip alone", FLASH_KEY, "generate-flash-encryption-key",
                *half, FLASH_KEY),
    ]  # fmt: skip
    if chip.hmac:
        why = "of this chip alone; in a home it is derived from hmac-master.key and the chip's MAC"
        steps.append(_secure("hmac-key", why, HMAC_KEY, "generate-flash-encryption-key", HMAC_KEY))
    for image in flash:
        if image.signed:
            steps += [
                _secure(f"sign-{image.name}", "the ROM starts nothing else", image.ready,
                        "sign-data", "--version", "2", "--keyfile", BOOT_KEY,
                        "--output", image.ready, image.plain),
                _secure(f"verify-{image.name}", "before anything is burned", "",
                        "verify-signature", "--version", "2", "--keyfile", BOOT_KEY, image.ready),
            ]  # fmt: skip
    return steps


def _secure(name: str, why: str, makes: str, *words: str) -> Step:
    return Step(name, why, "espsecure", words, makes)


def _burning(chip: Chip) -> list[Step]:
    keys, marks = _key_blocks(chip)
    steps = [
        Step("keys", "while they can still be hidden", "espefuse", ("burn-key", *keys), "", marks),
        _fuses("flash-encryption", "needs its key; closes debug and direct boot", chip.closing()),
    ]
    if chip.digest_bytes == 32:
        block = "BLOCK2" if chip.layout == "E" else "BLOCK_KEY1"
        purpose = () if chip.layout == "E" else (Mark("KEY_PURPOSE_1", "holds", 9),)
        words = (BOOT_KEY,) if chip.layout == "E" else (block, BOOT_KEY, "SECURE_BOOT_DIGEST0")
        why = "before secure boot, or nothing starts any more"
        found = (Mark(block, "digest"), *purpose)
        steps.append(
            Step("boot-digest", why, "espefuse", ("burn-key-digest", *words), "", found)
        )  # fmt: skip
    why = "from here on the chip starts only what is signed"
    steps.append(_fuses("secure-boot", why, chip.fuses(*_BOOT)))
    why = "after the last hidden key; else the digest itself could be hidden, and the chip dead"
    lock = ("write-protect-efuse", "RD_DIS")
    steps.append(Step("lock", why, "espefuse", lock, "", (Mark("RD_DIS", "locked"),)))
    return steps


def _key_blocks(chip: Chip) -> tuple[tuple[str, ...], tuple[Mark, ...]]:
    if chip.layout == "E":
        return ("flash_encryption", FLASH_KEY), (Mark("BLOCK1", "secret"),)
    if chip.digest_bytes < 32:  # one block for both keys, and its code allows one burning
        words = ("BLOCK_KEY0", FLASH_KEY, _HALF_KEY, "BLOCK_KEY0", DIGEST, "SECURE_BOOT_DIGEST")
        return words, (Mark("BLOCK_KEY0_LOW_128", "secret"), Mark("BLOCK_KEY0_HI_128", "digest"))
    flash = ("BLOCK_KEY0", FLASH_KEY, "XTS_AES_128_KEY")
    marks = (Mark("BLOCK_KEY0", "secret"), Mark("KEY_PURPOSE_0", "holds", 4))
    if not chip.hmac:
        return flash, marks
    own = (Mark("BLOCK_KEY2", "secret"), Mark("KEY_PURPOSE_2", "holds", _HMAC_UP))
    return (*flash, "BLOCK_KEY2", HMAC_KEY, "HMAC_UP"), (*marks, *own)


def _fuses(name: str, why: str, fuses: dict[str, int]) -> Step:
    words = [word for field, bits in fuses.items() for word in (field, str(bits))]
    # the fuse that takes effect stands first: it tells whether the step was begun
    marks = sorted((Mark(field, "holds", bits) for field, bits in fuses.items()), key=_decisive)
    return Step(name, why, "espefuse", ("burn-efuse", *words), "", tuple(marks))


def _decisive(mark: Mark) -> bool:
    decides = ("SPI_BOOT_CRYPT_CNT", "FLASH_CRYPT_CNT", "SECURE_BOOT_EN", "ABS_DONE_1")
    return mark.field not in decides


def _flashing(chip: Chip, flash: tuple[Image, ...]) -> list[Step]:
    mode = () if chip.layout == "E" else ("--aes-xts",)
    steps, files = [], []
    for image in flash:
        made = f"{image.name}-encrypted.bin"
        at = hex(image.offset)
        files += [at, made]
        steps.append(
            _secure(f"encrypt-{image.name}", "the chip takes no clear text any more", made,
                    "encrypt-flash-data", *mode, "--keyfile", FLASH_KEY,
                    "--address", at, "--output", made, image.ready)
        )  # fmt: skip
    why = "the last time that this port writes"
    words = ("write-flash", "--force", "--flash-size", "keep", *files)
    return [*steps, Step("flash", why, "esptool", words)]


def _seal(chip: Chip) -> Step:
    why = "last of all: after it no tool can burn or read"
    return _fuses(SEAL, why, chip.fuses(*_LAST))
