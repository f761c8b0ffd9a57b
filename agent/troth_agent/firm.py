# What cannot change before the next boot: what lies in flash, fuses, update slots, encryption.
# Read once and then forgotten, so that its code costs no heap while the board works.
import machine
from micropython import const

import esp32

from . import Trouble, efuse, image, ota

# labels of troth.cddl
_CHIP = const(1)
_SECURE_BOOT = const(2)
_FLASH_ENC = const(5)
_UPDATABLE = const(9)
_UPDATE_AUTH = const(10)
_SECVER_FUSE = const(13)
_NVS_ENC = const(25)
_APP_INTACT = const(32)
_APP_SIGNERS = const(33)
_APP_SIGNED_DIGEST = const(34)

_LOADERS = {"esp32": 0x1000, "esp32s2": 0x1000, "esp32c5": 0x2000, "esp32p4": 0x2000}


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
    update = yield from ota.read(running, said[_SECVER_FUSE])
    said.update(update)
    said[_UPDATE_AUTH] = "secure-boot" if said[_UPDATABLE] and said[_SECURE_BOOT] else "none"
    nvs = _nvs_encrypted(said[_FLASH_ENC])
    if nvs is not None:
        said[_NVS_ENC] = nvs
    if not said[_FLASH_ENC]:  # no partition, so read as it lies: noise under flash encryption
        below = yield from _below(_LOADERS.get(said[_CHIP], 0))
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
