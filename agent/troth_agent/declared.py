# What nobody but the application's maker can say of it, by the names of troth.cddl's map
# declared-claims. A list holds all there is; what is not declared is absent, never "no".
from micropython import const

from . import Trouble, cbor

_MAX_BYTES = const(640)  # of the whole map: a report has to stay small
_MAX_NAMES = const(16)
_DAY_S = const(86400)

_WIFI = "open wep wpa wpa2 wpa-wpa2 wpa2-ent wpa3 wpa2-wpa3 wapi owe wpa3-ent wpa2-wpa3-ent"
# The label is the place here, counted from 1. bool; int: a number; list: names; a text: one of its
# words; a list of a text: some of its words.
CLAIMS = (
    ("password_state", "none default unique user"),
    ("factory_state", bool),
    ("has_network_login", bool),
    ("lockout", "none backoff count"),
    ("lockout_max_tries", int),
    ("net_config", bool),
    ("config_write_auth", bool),
    ("service_auth", ["none password key certificate token"]),
    ("auth_algs", list),
    ("algs", list),
    ("services", list),
    ("listeners", list),
    ("links", list),
    ("links_verified", bool),
    ("tls_min", "1.2 1.3"),
    ("wifi_auth", _WIFI),
    ("ble_pairing", "none just-works legacy lesc"),
    ("update_auth", "signed-app tls-pinned"),
    ("auto_update", bool),
    ("update_last_check", int),
    ("telemetry", list),
    ("sensors", list),
    ("location_present", bool),
    ("erase_supported", bool),
    ("factory_reset", bool),
    ("wdt_on", bool),
    ("log_on", bool),
    ("time_synced", bool),
    ("cfg_survived_reboot", bool),
)


# Adds to `kept` (label -> value) all that is said, or nothing when something in it is wrong. None
# takes back what was said before.
def add(kept, said):
    new = dict(kept)
    for name in said:
        label, kind = _row(name)
        if said[name] is None:
            new.pop(label, None)
        else:
            new[label] = _checked(name, kind, said[name])
    if len(cbor.encode(new)) > _MAX_BYTES:
        raise Trouble("declare.size", "want at most %d bytes in all" % _MAX_BYTES)
    kept.clear()
    kept.update(new)


def _row(name):
    for i in range(len(CLAIMS)):
        if CLAIMS[i][0] == name:
            return i + 1, CLAIMS[i][1]
    raise Trouble("declare.name", "%s is no claim that can be declared" % name)


def _checked(name, kind, value):
    if kind is bool:
        if value is True or value is False:
            return value
        raise _wrong(name, "True or False")
    if kind is int:
        if type(value) is int and 0 <= value < 1 << 40:
            # a new set of claims for every second would be a new one for every report
            return value - value % _DAY_S if name == "update_last_check" else value
        raise _wrong(name, "a whole number")
    if isinstance(kind, str):
        if value in kind.split(" "):
            return value
        raise _wrong(name, "one of " + kind)
    return _names(name, kind, value)


def _names(name, kind, value):
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_NAMES:
        raise _wrong(name, "a list of at most %d" % _MAX_NAMES)
    for each in value:
        if not isinstance(each, str) or not _is_name(each):
            raise _wrong(name, "names of 1 to 32 plain characters")
        if kind is not list and each not in kind[0].split(" "):
            raise _wrong(name, "some of " + kind[0])
        if name == "listeners" and not _is_port(each):
            raise _wrong(name, 'open ports, as "80/tcp"')
    return list(value)


# ASCII: a board has no tables that tell a letter from a mark that hides one
def _is_name(text):
    return 1 <= len(text) <= 32 and all(32 <= ord(char) < 127 for char in text)


def _is_port(text):
    number, _, kind = text.partition("/")
    return kind in ("tcp", "udp") and number.isdigit() and int(number) < 65536


def _wrong(name, want):
    return Trouble("declare.value", "%s: want %s" % (name, want))
