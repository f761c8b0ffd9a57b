# The state of updates, from the otadata partition (esp_flash_partitions.h) and the slot that does
# not run. A board without otadata has one place for its firmware: no update over the air.
from micropython import const

import esp32

from . import image

_OTA_0 = const(0x10)
_OTADATA = const(0)
_STATES = {0: "new", 1: "pending", 2: "valid", 3: "invalid", 4: "aborted"}


def read(running):
    slots = _slots()
    otadata = esp32.Partition.find(esp32.Partition.TYPE_DATA, _OTADATA)
    subtype = running.info()[1]
    if not otadata or len(slots) < 2 or subtype < _OTA_0:
        return {"updatable": False, "ota_state": "none", "fallback_slot": "none"}
    states = _states(otadata[0], len(slots))
    other = running.get_next_update()
    return {
        "updatable": True,
        "ota_state": states.get(subtype - _OTA_0, "undefined"),
        "fallback_slot": _fallback(other, states.get(other.info()[1] - _OTA_0)),
    }


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
    if image.is_empty(slot):
        return "empty-fresh"
    if state in ("invalid", "aborted"):
        return "invalid"
    measured = image.measure(slot)
    return "valid" if measured and measured[1] else "invalid"
