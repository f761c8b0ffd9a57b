# What this board can truthfully say of itself. A fact that it cannot know is absent.
import sys
import time
from hashlib import sha256

from micropython import const

import esp32

from . import Trouble, boot, claims, files, identity, nvs

_EUI = b"\x02"
_FIRST_YEAR = const(2025)  # a clock that says less was never set
_EPOCH_2000 = const(946684800)

# wifi_auth_mode_t; a mode without a word is not said
_WIFI = {
    0: "open",
    1: "wep",
    2: "wpa",
    3: "wpa2",
    4: "wpa-wpa2",
    5: "wpa2-ent",
    6: "wpa3",
    7: "wpa2-wpa3",
    8: "wapi",
    9: "owe",
    10: "wpa3-ent",
    14: "wpa3-ent",
    15: "wpa2-wpa3-ent",
}


class Board:
    def __init__(self, settings, root=""):
        self.settings = settings
        self._root = root

    # the pinned CA, DER
    def ca(self):
        try:
            with open(self._root + self.settings["ca"], "rb") as file:
                return file.read()
        except OSError:
            raise Trouble("settings.ca", "cannot read %s" % self.settings["ca"])

    # what changes with every report
    def session(self):
        this_boot = boot.this()
        said = {
            "ueid": _EUI + identity.mac(),
            "uptime": this_boot.uptime_s(),
            "bootcount": this_boot.count,
            "bootseed": this_boot.seed,
        }
        iat = _unix_time()
        if iat is not None:
            said["iat"] = iat
        return said

    # the claims-set, by claim name
    def facts(self):
        said = dict(boot.this().facts)
        for name in ("oemid", "hwmodel", "swname", "swversion"):
            said[name] = self.settings[name]
        said["repl"] = "sealed" if identity.sealed() else "open"
        said["webrepl_on"] = _webrepl_on()
        said.update(_wifi())
        said.update(self._link())
        self._survey(said)
        if "ap_auth" in said or not said["ap_on"]:
            said["cfg_digest"] = claims.settings_digest(
                self.settings["interval_s"],
                self.settings["scheme"] or "https",
                said["webrepl_on"],
                said.get("ap_auth"),
            )
        return said

    def _survey(self, said):
        code, agent, literals = files.survey(self._root, _home())
        said["code_digest"] = code
        if agent and not identity.frozen():
            said["agent_digest"] = agent
        if "nvs_enc" in said:
            exposed = 0 if _is_encrypted("vfs") else literals
            said["plain_secrets"] = exposed + (0 if said["nvs_enc"] else 1)

    # the agent's own link: it never talks to a server that its pinned CA does not vouch for
    def _link(self):
        scheme = self.settings["scheme"]
        if scheme is None:
            return {}
        said = {"own_link_scheme": scheme, "own_link_verified": True}
        said["own_link_anchor"] = sha256(self.ca()).digest()
        version = nvs.recall(nvs.TLS, 0)
        if version:
            said["own_tls_version"] = "1.%d" % (version - 10)
        return said


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
    said: dict = {"wifi_joined": station.isconnected(), "ap_on": point.active()}
    if said["ap_on"]:
        mode = point.config("security")
        if mode in _WIFI:
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
