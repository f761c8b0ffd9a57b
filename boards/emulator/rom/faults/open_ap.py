# an access point without a password
import network

_ap = network.WLAN(network.WLAN.IF_AP)
_ap.active(True)
_ap.config(security=network.WLAN.SEC_OPEN)
