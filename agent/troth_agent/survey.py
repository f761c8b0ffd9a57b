# The facts of the claims-set, looked up anew for every report. A fact that the board cannot know is
# absent.
import sys
from hashlib import sha256

import esp32

from . import VERSION, _declared, boot, claims, identity, nvs

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


# The claims-set, by claim name.
def facts(board, found):
    settings = board.settings
    said = dict(boot.this().facts)
    for name in ("oemid", "hwmodel", "swname", "swversion"):
        said[name] = settings[name]
    said["repl"] = identity.prompt()
    said["webrepl_on"] = _webrepl_on()
    said.update(_wifi())
    said.update(_link(board))
    said["ble_on"] = _ble_on()
    if _declared:
        said["declared"] = _declared
    _count(said, settings.get("soft_key", True), *found)
    if "ap_auth" in said or not said["ap_on"]:
        said["cfg_digest"] = claims.settings_digest(
            settings["interval_s"],
            settings["scheme"] or "https",
            said["webrepl_on"],
            said.get("ap_auth"),
        )
    return said


def _count(said, soft_key, found, literals):
    said.update(found)
    said["agent_version"] = VERSION
    said["agent_frozen"] = identity.frozen()
    if said["agent_frozen"]:  # the app image holds it: a copy among the files is not what runs
        said.pop("agent_digest", None)
    if "nvs_enc" in said:
        exposed = 0 if _is_encrypted("vfs") else literals
        said["plain_secrets"] = exposed + (0 if said["nvs_enc"] or not soft_key else 1)


# The agent's own link: it never talks to a server that its pinned CA does not vouch for
def _link(board):
    scheme = board.settings["scheme"]
    if scheme is None:
        return {}
    said = {"own_link_scheme": scheme, "own_link_verified": True}
    said["own_link_anchor"] = sha256(board.ca()).digest()
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


def _ble_on():
    try:
        import bluetooth
    except ImportError:  # a build without it
        return False
    return bluetooth.BLE().active()


def _wifi():
    import network

    if not hasattr(network, "WLAN"):  # ESP32-H2 and a bare ESP32-P4 have no Wi-Fi
        return {"wifi_joined": False, "ap_on": False}
    station = network.WLAN(network.WLAN.IF_STA)
    point = network.WLAN(network.WLAN.IF_AP)
    said: dict = {"wifi_joined": station.isconnected(), "ap_on": point.active()}
    if said["ap_on"]:
        mode = point.config("security")
        if mode in _WIFI:
            said["ap_auth"] = _WIFI[mode]
    return said
