# network: one station and one access point. The station joins what it is told to join; sockets
# reach the host's loopback either way.
import _emu

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK, AUTH_WPA2_PSK, AUTH_WPA_WPA2_PSK = 0, 1, 2, 3, 4
AUTH_WPA2_ENTERPRISE, AUTH_WPA3_PSK, AUTH_WPA2_WPA3_PSK, AUTH_WAPI_PSK, AUTH_OWE = 5, 6, 7, 8, 9
AUTH_MAX = 17
MODE_11B, MODE_11G, MODE_11N, MODE_LR = 1, 2, 4, 8

_hostname = ["mpy-" + _emu.facts["chip"]]
_country = ["XX"]


class WLAN:
    IF_STA = 0
    IF_AP = 1
    SEC_OPEN, SEC_WEP, SEC_WPA, SEC_WPA2, SEC_WPA_WPA2 = 0, 1, 2, 3, 4
    SEC_WPA2_ENT, SEC_WPA3, SEC_WPA2_WPA3, SEC_WAPI, SEC_OWE = 5, 6, 7, 8, 9
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0, 1, 2
    _one = {}

    # one object for each interface, for ever, as on the chip
    def __new__(cls, interface=0):
        if interface not in (0, 1):
            raise ValueError("invalid WLAN interface identifier")
        if interface not in cls._one:
            self = object.__new__(cls)
            self._if = interface
            self._on = False
            self._joined = None
            ssid = "ESP_" + "".join("%02X" % b for b in _emu.mac[3:])
            self._config = {"ssid": ssid if interface else "", "security": 0, "channel": 1}
            self._config.update({"hidden": False, "max_clients": 4, "txpower": 20.0, "pm": 1})
            self._config.update({"protocol": 7, "reconnects": -1})
            cls._one[interface] = self
        return cls._one[interface]

    def __init__(self, interface=0):
        pass

    def active(self, on=None):
        if on is not None:
            self._on = bool(on)
            if not on:
                self._joined = None
        return self._on

    def connect(self, ssid=None, key=None, bssid=None, **_kwargs):
        if self._if == AP_IF:
            raise OSError("STA required")
        if not self._on:
            raise OSError("Wifi Not Started")
        if ssid is not None:
            self._config["ssid"] = ssid
        self._key = key
        self._joined = self._config["ssid"]

    def disconnect(self):
        self._joined = None

    def isconnected(self):
        return bool(self._on and (self._joined if self._if == STA_IF else False))

    def status(self, what=None):
        if what is None:
            if self._if == AP_IF:
                return None
            return STAT_GOT_IP if self.isconnected() else STAT_IDLE
        if what == "rssi" and self._if == STA_IF:
            return -52
        if what == "stations" and self._if == AP_IF:
            return []
        raise ValueError("unknown status param")

    # the joined network is in the air with the security that its key implies
    def scan(self):
        if self._if == AP_IF:
            raise OSError("STA required")
        if not self._on:
            raise OSError("Wifi Not Started")
        if not self._joined:
            return []
        security = AUTH_WPA2_PSK if self._key else AUTH_OPEN
        return [(self._joined.encode(), b"\x02\0\0\0\0\1", 6, -52, security, False)]

    def config(self, *what, **values):
        if values:
            return self._configure(values)
        name = {"essid": "ssid", "authmode": "security"}.get(what[0], what[0])
        if name == "mac":
            return _emu.mac[:5] + bytes([(_emu.mac[5] + self._if) & 0xFF])
        if name == "security" and self._if == STA_IF:
            raise OSError("AP required")
        if name not in self._config:
            raise ValueError("unknown config param")
        return self._config[name]

    def _configure(self, values):
        for name, value in values.items():
            name = {"essid": "ssid", "authmode": "security"}.get(name, name)
            if name in ("key", "password"):
                if value and len(value) < 8:
                    raise OSError(-1, "Wifi Invalid Argument")
                if value and not self._config["security"]:
                    self._config["security"] = AUTH_WPA_WPA2_PSK
            elif name == "mac":
                pass
            elif name in self._config:
                self._config[name] = value
            else:
                raise ValueError("unknown config param")

    def ifconfig(self, *_config):
        if self._if == AP_IF:
            return ("192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0")
        address = "127.0.0.1" if self.isconnected() else "0.0.0.0"
        return (address, "255.0.0.0", "127.0.0.1", "127.0.0.1")

    def ipconfig(self, name=None, **_values):
        if name == "addr4":
            return self.ifconfig()[:2]
        if name == "gw4":
            return self.ifconfig()[2]
        if name in ("dhcp4", "has_dhcp4"):
            return self.isconnected()
        if name is not None:
            raise ValueError("unknown config param")


def hostname(name=None):
    if name is None:
        return _hostname[0]
    if len(name) > 32:
        raise ValueError
    _hostname[0] = name


def country(code=None):
    if code is None:
        return _country[0]
    if len(code) != 2:
        raise ValueError
    _country[0] = code


def phy_mode(*_mode):
    return 7


# a chip without Wi-Fi has no such interface
if not _emu.facts.get("wifi", True):
    del WLAN
