# The claims-set of troth.cddl: what seldom changes, so a verifier who knows its digest need not be
# told again. A claim that is absent from `facts` stays unsaid.
from hashlib import sha256

from micropython import const

from . import cbor

_OEMID = const(258)
_HWMODEL = const(259)
_OEMBOOT = const(262)
_DBGSTAT = const(263)
_SWNAME = const(270)
_SWVERSION = const(271)
_MEASUREMENTS = const(273)
_PRIVATE = const(-80001)
_COMPONENT = const(65001)  # Content-Format of a measured-component, until it has a number

# the label of a private claim is its place here, counted from 1
PRIVATE = (
    "chip",
    "secure_boot",
    "secure_boot_digests",
    "key_slots_free",
    "flash_enc",
    "flash_enc_mode",
    "jtag",
    "dl_mode",
    "updatable",
    "update_auth",
    "ota_state",
    "fallback_slot",
    "secver_fuse",
    "app_secver",
    "webrepl_on",
    "repl",
    "ap_on",
    "ap_auth",
    "wifi_joined",
    "wifi_auth",
    "own_link_scheme",
    "own_link_verified",
    "own_tls_version",
    "own_link_anchor",
    "nvs_enc",
    "plain_secrets",
    "key_blocks_readable",
    "cfg_digest",
    "fuses",
    "declared",
    "elf_digest",
    "app_intact",
    "app_signers",
    "app_signed_digest",
    "app_version",
    "idf_version",
    "reboot_pending",
    "rollback_possible",
    "agent_version",
    "agent_frozen",
    "shadowed",
    "webrepl_cfg_present",
    "ble_on",
)


# The detached claims-set as bytes. Nothing in it names the device.
def claims_set(facts):
    said = {
        _OEMID: facts["oemid"],
        _HWMODEL: facts["hwmodel"].encode(),
        _SWNAME: facts["swname"],
        _SWVERSION: [facts["swversion"]],
        _MEASUREMENTS: _measurements(facts),
        _PRIVATE: _private(facts),
    }
    if "oemboot" in facts:
        said[_OEMBOOT] = facts["oemboot"]
    if "dbgstat" in facts:
        said[_DBGSTAT] = facts["dbgstat"]
    return cbor.encode(said)


# What a release approves beforehand: no address, no secret, no value of one unit alone.
def settings_digest(interval_s, scheme, webrepl, ap):
    profile = {"ap": ap, "interval_s": interval_s, "scheme": scheme, "webrepl": webrepl}
    return sha256(cbor.encode(profile)).digest()


def _measurements(facts):
    out = []
    for name in ("app", "code", "agent", "bootloader", "partitions"):
        digest = facts.get(name + "_digest")
        if digest is not None:
            out.append([_COMPONENT, cbor.encode({1: [name], 2: [1, digest]})])
    return out


def _private(facts):
    said = {}
    for i in range(len(PRIVATE)):
        if PRIVATE[i] in facts:
            said[i + 1] = facts[PRIVATE[i]]
    return said
