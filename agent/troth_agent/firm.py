# What cannot change before the next boot: what lies in flash, fuses, update slots, encryption.
# Read once and then forgotten, so that its code costs no heap while the board works.
import machine
from micropython import const

import esp32

from . import Trouble, efuse, image
from .chip_table import CHIPS

# labels of troth.cddl
_CHIP = const(1)
_SECURE_BOOT = const(2)
_FLASH_ENC = const(5)
_UPDATABLE = const(9)
_UPDATE_AUTH = const(10)
_OTA_STATE = const(11)
_FALLBACK_SLOT = const(12)
_SECVER_FUSE = const(13)
_APP_SECVER = const(14)
_NVS_ENC = const(25)
_APP_INTACT = const(32)
_APP_SIGNERS = const(33)
_APP_SIGNED_DIGEST = const(34)
_REBOOT_PENDING = const(37)
_ROLLBACK_POSSIBLE = const(38)

_OTA_0 = const(0x10)
_OTADATA = const(0)
_STATES = {0: "new", 1: "pending", 2: "valid", 3: "invalid", 4: "aborted"}


def chip():
    name = image.chip(image.reader(_running()))
    if name is None:
        raise Trouble("image.unknown", "the running image names no known chip")
    return name


def fuses():
    said = efuse.read(chip(), machine.mem32)
    if not said:
        raise Trouble("efuse.unknown", "no fuse map for %s" % chip())
    return said


def _running():
    return esp32.Partition(esp32.Partition.RUNNING)  # type: ignore[arg-type]  # stub: str only


# By the claims' labels, digests by their components' names; in steps, for reading megabytes takes
# its time.
def measure():
    running = _running()
    read, room = image.reader(running), running.info()[3]
    said = fuses()
    said[_CHIP] = chip()
    measured = yield from image.measure(read, room)
    if measured is None:
        raise Trouble("image.broken", "the running partition holds no whole image")
    said["app"], intact, end = measured
    if intact is not None:
        said[_APP_INTACT] = intact
    said[_APP_SIGNERS], signed = image.signers(read, end, room)
    if signed:
        said[_APP_SIGNED_DIGEST] = signed
    said.update(image.describe(read))
    update = yield from _updates(running, said[_SECVER_FUSE])
    said.update(update)
    said[_UPDATE_AUTH] = "secure-boot" if said[_UPDATABLE] and said[_SECURE_BOOT] else "none"
    nvs = _nvs_encrypted(said[_FLASH_ENC])
    if nvs is not None:
        said[_NVS_ENC] = nvs
    if not said[_FLASH_ENC]:  # no partition, so read as it lies: noise under flash encryption
        below = yield from _below(CHIPS[said[_CHIP]][1])
        said.update(below)
    return said


# What lies below the partitions: the boot loader and the table.
def _below(loader):
    import esp

    found = image.table(esp.flash_read)
    if found is None:
        return {}
    at, digest = found
    said = {"partitions": digest}
    measured = yield from image.measure(
        lambda offset, buf: esp.flash_read(loader + offset, buf), at - loader
    )
    if measured:
        said["bootloader"] = measured[0]
    return said


# NVS is encrypted by keys in an nvs_keys partition under flash encryption. Without flash encryption
# a stock build keeps it plain; with it and no such partition a board cannot tell.
def _nvs_encrypted(flash_enc):
    if not flash_enc:
        return False
    if esp32.Partition.find(esp32.Partition.TYPE_DATA, 4):
        return True
    return None


# The state of updates, from the otadata partition (esp_flash_partitions.h) and the slot that does
# not run. A board without otadata has one place for its firmware: no update over the air. In steps,
# as reading the other slot takes its time. `least`: the fuses let nothing older start.
def _updates(running, least):
    slots = _slots()
    otadata = esp32.Partition.find(esp32.Partition.TYPE_DATA, _OTADATA)
    subtype = running.info()[1]
    if not otadata or len(slots) < 2 or subtype < _OTA_0:
        return {_UPDATABLE: False, _OTA_STATE: "none", _FALLBACK_SLOT: "none"}
    states = _states(otadata[0], len(slots))
    other = running.get_next_update()
    state = states.get(other.info()[1] - _OTA_0)
    fallback = yield from _fallback(other, state)
    return {
        _UPDATABLE: True,
        _OTA_STATE: states.get(subtype - _OTA_0, "undefined"),
        _FALLBACK_SLOT: fallback,
        _ROLLBACK_POSSIBLE: fallback == "valid" and _version(other) >= least,
        _REBOOT_PENDING: _next().info()[2] != running.info()[2],
    }


def _next():
    return esp32.Partition(esp32.Partition.BOOT)  # type: ignore[arg-type]  # stub: str only


def _slots():
    found = esp32.Partition.find(esp32.Partition.TYPE_APP)
    return [slot for slot in found if _OTA_0 <= slot.info()[1] < _OTA_0 + 16]


# Slot number -> state, of the two entries that otadata holds.
def _states(otadata, slots):
    states = {}
    newest: dict = {}
    for sector in range(2):
        entry = bytearray(32)
        otadata.readblocks(sector, entry, 0)
        sequence = int.from_bytes(entry[:4], "little")
        if sequence in (0, 0xFFFFFFFF):
            continue
        slot = (sequence - 1) % slots
        if sequence > newest.get(slot, 0):
            newest[slot] = sequence
            state = int.from_bytes(entry[24:28], "little")
            states[slot] = _STATES.get(state, "undefined")
    return states


# Could the boot loader fall back on this slot?
def _fallback(slot, state):
    read = image.reader(slot)
    if image.is_empty(read):
        return "empty-fresh"
    if state in ("invalid", "aborted"):
        return "invalid"
    measured = yield from image.measure(read, slot.info()[3])
    return "valid" if measured and measured[1] is not False else "invalid"


def _version(slot):
    return image.describe(image.reader(slot)).get(_APP_SECVER, 0)
