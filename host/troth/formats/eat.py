"""The numbers and closed words of Troth evidence: an EAT profile (RFC 9711), as in troth.cddl."""

from __future__ import annotations

from typing import Final

# tags
MAC0: Final = 17
SIGN1: Final = 18
CWT: Final = 61
BUNDLE: Final = 602

# protected header
ALG: Final = 1
KID: Final = 4
TYP: Final = 16
ES256: Final = -7
HMAC_256: Final = 5
ALGORITHMS: Final = {ES256: "ES256", HMAC_256: "HMAC 256/256"}  # as RFC 9053 names them
CONTENT_FORMAT: Final = 263  # CoAP number of application/eat+cwt
KEY_ID_BYTES: Final = 8

# claims of the token
IAT: Final = 6
NONCE: Final = 10
UEID: Final = 256
UPTIME: Final = 261
EAT_PROFILE: Final = 265
SUBMODS: Final = 266
BOOTCOUNT: Final = 267
BOOTSEED: Final = 268
COUNTER: Final = -80002  # private: our own labels
DROPPED: Final = -80004

PROFILE: Final = bytes.fromhex("6981bdd0fec4f4c4eaa983abbca18ef8eec7c95d")
SET_NAME: Final = "cfg"  # of the detached claims-set, in submods and in the bundle
SHA_256: Final = -16  # COSE algorithm of a detached digest
NONCE_BYTES: Final = 32
BOOTSEED_BYTES: Final = 8
UEID_EUI: Final = 0x02  # first byte of a UEID made from a MAC (RFC 9711 section 4.2.1)
UEID_BYTES: Final = 7

# claims-set
PRIVATE: Final = -80001
MEASUREMENTS: Final = 273
MEASURED_COMPONENT: Final = 65001  # Content-Format, still experimental in the draft
COMPONENT_ID: Final = 1
COMPONENT_DIGEST: Final = 2
NAMED_SHA_256: Final = 1  # Named Information registry

COMPONENTS: Final = ("app", "code", "agent", "bootloader", "partitions")
CHIPS: Final = (
    "esp32",
    "esp32s2",
    "esp32s3",
    "esp32c2",
    "esp32c3",
    "esp32c5",
    "esp32c6",
    "esp32h2",
    "esp32p4",
)
FLASH_ENC_MODES: Final = ("off", "development", "release")
JTAG: Final = ("enabled", "disabled", "protected")
DL_MODES: Final = ("enabled", "secure", "disabled")
UPDATE_AUTH: Final = ("none", "secure-boot", "signed-app", "tls-pinned")
OTA_STATES: Final = ("none", "new", "pending", "valid", "invalid", "aborted", "undefined")
FALLBACK_SLOTS: Final = ("none", "valid", "empty-fresh", "invalid")
REPL: Final = ("open", "sealed", "absent")
WIFI_AUTH: Final = (
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
    "wpa2-wpa3-ent",
)
LINK_SCHEMES: Final = ("http", "https", "mqtt", "mqtts")
TLS_VERSIONS: Final = ("1.2", "1.3")

# what an application declares
PASSWORD_STATES: Final = ("none", "default", "unique", "user")
LOCKOUTS: Final = ("none", "backoff", "count")
SERVICE_AUTH: Final = ("none", "password", "key", "certificate", "token")
BLE_PAIRING: Final = ("none", "just-works", "legacy", "lesc")
DECLARED_UPDATE_AUTH: Final = ("signed-app", "tls-pinned")
