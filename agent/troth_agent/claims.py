# The claims-set of troth.cddl: what seldom changes, so a verifier who knows its digest need not be
# told again. Facts are kept by their labels, digests of what was measured by their components'
# names. What the board cannot know is absent, and a claim that is absent stays unsaid.
import sys
from hashlib import sha256

from micropython import const

import esp32

from . import VERSION, _declared, boot, cbor, identity, nvs

# labels of troth.cddl; those below 256 stand in the private map
_WEBREPL_ON = const(15)
_REPL = const(16)
_AP_ON = const(17)
_AP_AUTH = const(18)
_WIFI_JOINED = const(19)
_OWN_LINK_SCHEME = const(21)
_OWN_LINK_VERIFIED = const(22)
_OWN_TLS_VERSION = const(23)
_OWN_LINK_ANCHOR = const(24)
_NVS_ENC = const(25)
_PLAIN_SECRETS = const(26)
_CFG_DIGEST = const(28)
_DECLARED = const(30)
_AGENT_VERSION = const(39)
_AGENT_FROZEN = const(40)
_BLE_ON = const(43)
_OEMID = const(258)
_HWMODEL = const(259)
_SWNAME = const(270)
_SWVERSION = const(271)
_MEASUREMENTS = const(273)
_PRIVATE = const(-80001)
_COMPONENT = const(65001)  # Content-Format of a measured-component, until it has a number

# by wifi_auth_mode_t; a mode without a word is not said
_WIFI = (
    "open wep wpa wpa2 wpa-wpa2 wpa2-ent wpa3 wpa2-wpa3 wapi owe wpa3-ent"
    " - - - wpa3-ent wpa2-wpa3-ent"
)


# What the board says now; `found` is what files.survey() gives.
def facts(board, found):
    settings = board.settings
    said = dict(boot.this().facts)
    said[_OEMID] = settings["oemid"]
    said[_HWMODEL] = settings["hwmodel"].encode()
    said[_SWNAME] = settings["swname"]
    said[_SWVERSION] = [settings["swversion"]]
    said[_REPL] = identity.prompt()
    said[_WEBREPL_ON] = _webrepl_on()
    said.update(_wifi())
    said.update(_link(board))
    said[_BLE_ON] = _ble_on()
    if _declared:
        said[_DECLARED] = _declared
    _count(said, settings.get("soft_key", True), *found)
    if _AP_AUTH in said or not said[_AP_ON]:
        said[_CFG_DIGEST] = settings_digest(
            settings["interval_s"],
            settings["scheme"] or "https",
            said[_WEBREPL_ON],
            said.get(_AP_AUTH),
        )
    return said


def _count(said, soft_key, found, literals):
    said.update(found)
    said[_AGENT_VERSION] = VERSION
    said[_AGENT_FROZEN] = identity.frozen()
    if said[_AGENT_FROZEN]:  # the app image holds it: a copy among the files is not what runs
        said.pop("agent", None)
    if _NVS_ENC in said:
        exposed = 0 if _is_encrypted("vfs") else literals
        said[_PLAIN_SECRETS] = exposed + (0 if said[_NVS_ENC] or not soft_key else 1)


# The agent's own link: it never talks to a server that its pinned CA does not vouch for
def _link(board):
    scheme = board.settings["scheme"]
    if scheme is None:
        return {}
    said = {_OWN_LINK_SCHEME: scheme, _OWN_LINK_VERIFIED: True}
    said[_OWN_LINK_ANCHOR] = sha256(board.ca()).digest()
    version = nvs.recall(nvs.TLS, 0)
    if version:
        said[_OWN_TLS_VERSION] = "1.%d" % (version - 10)
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
        return {_WIFI_JOINED: False, _AP_ON: False}
    station = network.WLAN(network.WLAN.IF_STA)
    point = network.WLAN(network.WLAN.IF_AP)
    said: dict = {_WIFI_JOINED: station.isconnected(), _AP_ON: point.active()}
    if said[_AP_ON]:
        mode = point.config("security")
        words = _WIFI.split(" ")
        if mode < len(words) and words[mode] != "-":
            said[_AP_AUTH] = words[mode]
    return said


# The same as bytes, detached. Nothing in it names the device.
def claims_set(facts):
    private: dict = {}
    measured: list = []
    said = {_PRIVATE: private, _MEASUREMENTS: measured}
    for name in ("app", "code", "agent", "bootloader", "partitions"):
        if name in facts:
            measured.append([_COMPONENT, cbor.encode({1: [name], 2: [1, facts[name]]})])
    for label in facts:
        if isinstance(label, int):
            (private if label < 256 else said)[label] = facts[label]
    return cbor.encode(said)


# What a release approves beforehand: no address, no secret, no value of one unit alone.
def settings_digest(interval_s, scheme, webrepl, ap):
    profile = {"ap": ap, "interval_s": interval_s, "scheme": scheme, "webrepl": webrepl}
    return sha256(cbor.encode(profile)).digest()
