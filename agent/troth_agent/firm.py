# What cannot change before the next boot: the image that runs, fuses, update slots, encryption.
# Read once and then forgotten, so that its code costs no heap while the board works.
import machine

import esp32

from . import Trouble, efuse, image, ota


def chip():
    name = image.chip(_running())
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


def measure():
    running = _running()
    said = fuses()
    said["chip"] = chip()
    measured = image.measure(running)
    if measured is None:
        raise Trouble("image.broken", "the running partition holds no whole image")
    said["app_digest"] = measured[0]
    secure_version = image.secure_version(running)
    if secure_version is not None:
        said["app_secver"] = secure_version
    said.update(ota.read(running))
    said["update_auth"] = "secure-boot" if said["updatable"] and said["secure_boot"] else "none"
    nvs = _nvs_encrypted(said["flash_enc"])
    if nvs is not None:
        said["nvs_enc"] = nvs
    return said


# NVS is encrypted by keys in an nvs_keys partition under flash encryption. Without flash encryption
# a stock build keeps it plain; with it and no such partition a board cannot tell.
def _nvs_encrypted(flash_enc):
    if not flash_enc:
        return False
    if esp32.Partition.find(esp32.Partition.TYPE_DATA, 4):
        return True
    return None
