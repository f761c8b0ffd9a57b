# What this board can truthfully say of itself. A fact that it cannot know is absent.
import os
import sys
import time
from hashlib import sha256

import esp32
import machine
from micropython import const

from . import Trouble, claims, efuse, files, image, ota

_NVS = "troth"
_TLS = "tls"
_SEALED = "sealed"
_BOOTS = "boots"
_EUI = b"\x02"
_FIRST_YEAR = const(2025)  # a clock that says less was never set
_EPOCH_2000 = const(946684800)

_WIFI = (
    "open",
    "wep",
    "wpa",
    "wpa2",
    "wpa-wpa2",
    "wpa2-ent",
    "wpa3",
    "wpa2-wpa3",
    "wapi",
    "owe",
    "wpa3-ent",
)


# One run of the interpreter: counted once, named by random bytes, and what cannot change in it.
class _Boot:
    def __init__(self):
        self.count = remember(_BOOTS, recall(_BOOTS, 0) + 1)
        self.seed = os.urandom(8)
        self.facts = _measure_once()
        self._ticks = time.ticks_ms()
        self._uptime_ms = 0

    # ticks wrap after days, so their differences are added up
    def uptime_s(self):
        now = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(now, self._ticks)
        self._ticks = now
        return self._uptime_ms // 1000


_boots = []


def _boot():
    if not _boots:
        _boots.append(_Boot())
    return _boots[0]


class Board:
    def __init__(self, settings, root=""):
        self.settings = settings
        self._root = root

    # the pinned CA, DER
    def ca(self):
        try:
            with open(self._root + self.settings.ca, "rb") as file:
                return file.read()
        except OSError:
            raise Trouble("settings.ca", "cannot read %s" % self.settings.ca)

    # what changes with every report
    def session(self):
        boot = _boot()
        said = {
            "ueid": _EUI + mac(),
            "uptime": boot.uptime_s(),
            "bootcount": boot.count,
            "bootseed": boot.seed,
        }
        iat = _unix_time()
        if iat is not None:
            said["iat"] = iat
        return said

    # the claims-set, by claim name
    def facts(self):
        said = dict(_boot().facts)
        said["oemid"] = self.settings.oemid
        said["hwmodel"] = self.settings.hwmodel
        said["swname"] = self.settings.swname
        said["swversion"] = self.settings.swversion
        said["repl"] = "sealed" if sealed() else "open"
        said["webrepl_on"] = _webrepl_on()
        said.update(_wifi())
        said.update(self._link())
        self._survey(said)
        said["cfg_digest"] = claims.settings_digest(
            self.settings.interval_s,
            self.settings.scheme() or "https",
            said["webrepl_on"],
            said.get("ap_auth"),
        )
        return said

    def _survey(self, said):
        found = files.survey(self._root, _home())
        said["code_digest"] = found.code
        if found.agent and not frozen():
            said["agent_digest"] = found.agent
        if "nvs_enc" in said:
            exposed = 0 if _is_encrypted("vfs") else found.secrets
            said["plain_secrets"] = exposed + (0 if said["nvs_enc"] else 1)

    # the agent's own link: it never talks to a server that its pinned CA does not vouch for
    def _link(self):
        settings = self.settings
        if not settings.url:
            return {}
        said = {"own_link_scheme": settings.scheme(), "own_link_verified": True}
        said["own_link_anchor"] = sha256(self.ca()).digest()
        version = recall(_TLS, 0)
        if version:
            said["own_tls_version"] = "1.%d" % (version - 10)
        return said


def mac():
    return machine.unique_id()[:6]


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


# The agent lies in the image: no file of it is in the file system.
def frozen():
    try:
        os.stat(__file__)
        return False
    except OSError:
        return True


# A hardened build carries `troth_build` in its image; a file of that name does not count.
def hardened():
    if not frozen():
        return False
    try:
        import troth_build
    except ImportError:
        return False
    try:
        os.stat(troth_build.__file__)
        return False
    except (AttributeError, OSError):
        return True


def sealed():
    return hardened() and recall(_SEALED, 0) == 1


def seal():
    remember(_SEALED, 1)


# The version of the last TLS handshake, as 12 or 13: an answer over serial has no link of its own.
def keep_tls(version):
    if recall(_TLS, 0) != version:
        remember(_TLS, version)


def recall(name, default):
    try:
        return esp32.NVS(_NVS).get_i32(name)
    except OSError:
        return default


def remember(name, value):
    nvs = esp32.NVS(_NVS)
    nvs.set_i32(name, value)
    nvs.commit()
    return value


def _running():
    return esp32.Partition(esp32.Partition.RUNNING)


def _measure_once():
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
    if esp32.Partition.find(esp32.Partition.TYPE_DATA, subtype=4):
        return True
    return None


def _is_encrypted(label):
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
    return bool(found) and found[0].info()[5]


def _webrepl_on():
    module = sys.modules.get("webrepl")
    if module is None:
        return False
    return bool(getattr(module, "listen_s", None) or getattr(module, "client_s", None))


def _wifi():
    import network

    station = network.WLAN(network.WLAN.IF_STA)
    point = network.WLAN(network.WLAN.IF_AP)
    said = {"wifi_joined": station.isconnected(), "ap_on": point.active()}
    if said["ap_on"]:
        mode = point.config("security")
        if mode < len(_WIFI):
            said["ap_auth"] = _WIFI[mode]
    return said


# Where the agent's modules lie, as an absolute path.
def _home():
    home = __file__[: __file__.rfind("/")]
    return home if home.startswith("/") else "/" + home


# Unix seconds, or None: the board has no clock or it was never set.
def _unix_time():
    if time.gmtime()[0] < _FIRST_YEAR:
        return None
    now = int(time.time())
    return now + _EPOCH_2000 if time.gmtime(0)[0] == 2000 else now
