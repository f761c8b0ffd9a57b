# The state of updates, from the otadata partition (esp_flash_partitions.h) and the slot that does
# not run. A board without otadata has one place for its firmware: no update over the air.
from micropython import const

import esp32

from . import image

# labels of troth.cddl
_UPDATABLE = const(9)
_OTA_STATE = const(11)
_FALLBACK_SLOT = const(12)
_APP_SECVER = const(14)
_REBOOT_PENDING = const(37)
_ROLLBACK_POSSIBLE = const(38)

_OTA_0 = const(0x10)
_OTADATA = const(0)
_STATES = {0: "new", 1: "pending", 2: "valid", 3: "invalid", 4: "aborted"}


# In steps, as reading the other slot takes its time. `least`: the fuses let nothing older start.
def read(running, least):
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
