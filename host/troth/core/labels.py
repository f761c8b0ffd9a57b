"""The label tables of the claims, one row a claim: where it stands, what it may say.

Labels, types and closed words are those of formats/troth.cddl; a test holds the tables against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..formats import cbor, eat
from .errors import Malformed

MAX_INT = 2**63 - 1  # what every store can hold
MAX_TIME = 253_402_300_799  # 9999-12-31T23:59:59Z, the last instant that a calendar can show


class Claim(NamedTuple):
    """One row of a label table: the field it fills and how its value is read."""

    name: str
    read: Callable[[Any, str], Any]
    required: bool = False


def read_map(raw: bytes, path: str) -> dict[int | str, Any]:
    """One deterministic map."""
    said = cbor.read(raw, path=path)
    if type(said) is not dict:
        raise Malformed("cbor.type", "want a map", path=path, offset=0)
    return said


def fields(said: Mapping[int | str, Any], table: Mapping[int, Claim], path: str) -> dict[str, Any]:
    """Read a whole map by its table: nothing unknown, nothing required missing."""
    unknown = [label for label in said if label not in table]
    if unknown:
        label = unknown[0] if type(unknown[0]) is int else "text"
        raise Malformed("claim.unknown", f"label {label} is not of the profile", path=path)
    for label, claim in table.items():
        if claim.required and label not in said:
            raise Malformed("claim.missing", "must be said", path=f"{path}/{claim.name}")
    return {
        claim.name: claim.read(said[label], f"{path}/{claim.name}")
        for label, claim in table.items()
        if label in said
    }


def _is(kind: type, value: Any, path: str) -> Any:
    # by exact type: a CBOR true is a Python int to isinstance
    if type(value) is not kind:
        raise Malformed("claim.type", f"want {_WORDS[kind]}", path=path)
    return value


_WORDS = {bool: "a boolean", int: "an integer", bytes: "bytes", str: "text", list: "an array"}


def _bool(value: Any, path: str) -> bool:
    return bool(_is(bool, value, path))


def _whole(most: int) -> Callable[[Any, str], int]:
    def read(value: Any, path: str) -> int:
        number = int(_is(int, value, path))
        if not 0 <= number <= most:
            raise Malformed("claim.range", f"want 0 to {most}", path=path)
        return number

    return read


def _bytes(least: int, most: int) -> Callable[[Any, str], bytes]:
    def read(value: Any, path: str) -> bytes:
        data = bytes(_is(bytes, value, path))
        if not least <= len(data) <= most:
            raise Malformed("claim.range", f"{len(data)} bytes, want {least} to {most}", path=path)
        return data

    return read


def _hex(least: int, most: int) -> Callable[[Any, str], str]:
    read_bytes = _bytes(least, most)
    return lambda value, path: read_bytes(value, path).hex()


_sha256 = _hex(32, 32)
_uint = _whole(MAX_INT)


def _one_of(words: tuple[str, ...]) -> Callable[[Any, str], str]:
    def read(value: Any, path: str) -> str:
        word = str(_is(str, value, path))
        if word not in words:
            raise Malformed("claim.range", f"want one of {', '.join(words)}", path=path)
        return word

    return read


def _list(most: int, read: Callable[[Any, str], str]) -> Callable[[Any, str], tuple[str, ...]]:
    def read_list(value: Any, path: str) -> tuple[str, ...]:
        if len(_is(list, value, path)) > most:
            raise Malformed("claim.range", f"want at most {most}", path=path)
        return tuple(read(each, path) for each in value)

    return read_list


_digests = _list(3, _sha256)


def _printable(text: str, most: int, path: str) -> str:
    # controls, bidi marks and zero-width characters would make one name look like another
    if not 0 < len(text.encode()) <= most or not text.isprintable():
        raise Malformed("claim.range", f"want 1 to {most} bytes of printable text", path=path)
    return text


def _name(value: Any, path: str) -> str:
    return _printable(_is(str, value, path), 64, path)


def _word(value: Any, path: str) -> str:
    return _printable(_is(str, value, path), 32, path)


_names = _list(16, _word)


def _model(value: Any, path: str) -> str:
    try:
        text = _is(bytes, value, path).decode()
    except UnicodeDecodeError:
        raise Malformed("claim.range", "want UTF-8", path=path) from None
    return _printable(text, 32, path)


def _version(value: Any, path: str) -> str:
    if len(_is(list, value, path)) != 1:
        raise Malformed("claim.range", "want one version and no scheme", path=path)
    return _name(value[0], path)


def _oemid(value: Any, path: str) -> str:
    """An IEEE identifier or a random one as hex, a private enterprise number as `pen:64242`."""
    if type(value) is int:
        return f"pen:{_uint(value, path)}"
    if len(_is(bytes, value, path)) not in (3, 16):
        raise Malformed("claim.range", "want 3 or 16 bytes", path=path)
    return bytes(value).hex()


def _ueid(value: Any, path: str) -> bytes:
    ueid = _bytes(eat.UEID_BYTES, eat.UEID_BYTES)(value, path)
    if ueid[0] != eat.UEID_EUI:
        raise Malformed("claim.range", "want a UEID made from a MAC", path=path)
    return ueid


def _submods(value: Any, path: str) -> bytes:
    """The digest of the one detached claims-set."""
    if type(value) is not dict or value.keys() != {eat.SET_NAME}:
        raise Malformed("claim.type", "want a map of cfg alone", path=path)
    digest = _is(list, value[eat.SET_NAME], path)
    if len(digest) != 2 or type(digest[0]) is not int or digest[0] != eat.SHA_256:
        raise Malformed("claim.range", "want [-16, SHA-256]", path=path)
    return _bytes(32, 32)(digest[1], path)


def _measurements(value: Any, path: str) -> dict[str, str]:
    """Digests by field name, out of 1 to 8 measured components."""
    if not 1 <= len(_is(list, value, path)) <= 8:
        raise Malformed("claim.range", "want 1 to 8", path=path)
    found: dict[str, str] = {}
    for number, each in enumerate(value):
        name, digest = _component(each, f"{path}/{number}")
        if name in found:
            raise Malformed("claim.range", "the same component twice", path=f"{path}/{number}")
        found[name] = digest
    return found


def _component(value: Any, path: str) -> tuple[str, str]:
    if len(_is(list, value, path)) != 2 or _uint(value[0], path) != eat.MEASURED_COMPONENT:
        raise Malformed("claim.range", "want a measured component", path=path)
    said = read_map(_is(bytes, value[1], path), path)
    if said.keys() != {eat.COMPONENT_ID, eat.COMPONENT_DIGEST}:
        raise Malformed("claim.unknown", "want a component's id and digest", path=path)
    identity = _is(list, said[eat.COMPONENT_ID], path)
    digest = _is(list, said[eat.COMPONENT_DIGEST], path)
    if len(identity) != 1 or len(digest) != 2 or _uint(digest[0], path) != eat.NAMED_SHA_256:
        raise Malformed("claim.range", "want [name] and [1, SHA-256]", path=path)
    name = _one_of(eat.COMPONENTS)(identity[0], path)
    return f"{name}_digest", _sha256(digest[1], path)


def _map(table: Mapping[int, Claim], value: Any, path: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed("claim.type", "want a map", path=path)
    return fields(value, table, path)


def _declared(value: Any, path: str) -> dict[str, Any]:
    return _map(DECLARED_CLAIMS, value, path)


def _private(value: Any, path: str) -> dict[str, Any]:
    return _map(PRIVATE_CLAIMS, value, path)


TOKEN_CLAIMS = {
    eat.IAT: Claim("issued_at", _whole(MAX_TIME)),
    eat.NONCE: Claim("nonce", _bytes(eat.NONCE_BYTES, eat.NONCE_BYTES), required=True),
    eat.UEID: Claim("ueid", _ueid, required=True),
    eat.UPTIME: Claim("uptime_s", _uint, required=True),
    eat.EAT_PROFILE: Claim("profile", _bytes(len(eat.PROFILE), len(eat.PROFILE)), required=True),
    eat.SUBMODS: Claim("set_digest", _submods, required=True),
    eat.BOOTCOUNT: Claim("boot_count", _uint, required=True),
    eat.BOOTSEED: Claim("boot_seed", _bytes(eat.BOOTSEED_BYTES, eat.BOOTSEED_BYTES), required=True),
    eat.COUNTER: Claim("counter", _uint),
    eat.DROPPED: Claim("dropped", _uint),
}

SET_CLAIMS = {
    258: Claim("oemid", _oemid, required=True),
    259: Claim("hwmodel", _model, required=True),
    262: Claim("oemboot", _bool),
    263: Claim("dbgstat", _whole(4)),
    270: Claim("swname", _name, required=True),
    271: Claim("swversion", _version, required=True),
    eat.MEASUREMENTS: Claim("measurements", _measurements, required=True),
    eat.PRIVATE: Claim("private", _private, required=True),
}

PRIVATE_CLAIMS = {
    1: Claim("chip", _one_of(eat.CHIPS), required=True),
    2: Claim("secure_boot", _bool),
    3: Claim("secure_boot_digests", _digests),
    4: Claim("key_slots_free", _uint),
    5: Claim("flash_enc", _bool),
    6: Claim("flash_enc_mode", _one_of(eat.FLASH_ENC_MODES)),
    7: Claim("jtag", _one_of(eat.JTAG)),
    8: Claim("dl_mode", _one_of(eat.DL_MODES)),
    9: Claim("updatable", _bool),
    10: Claim("update_auth", _one_of(eat.UPDATE_AUTH)),
    11: Claim("ota_state", _one_of(eat.OTA_STATES)),
    12: Claim("fallback_slot", _one_of(eat.FALLBACK_SLOTS)),
    13: Claim("secver_fuse", _uint),
    14: Claim("app_secver", _uint),
    15: Claim("webrepl_on", _bool),
    16: Claim("repl", _one_of(eat.REPL)),
    17: Claim("ap_on", _bool),
    18: Claim("ap_auth", _one_of(eat.WIFI_AUTH)),
    19: Claim("wifi_joined", _bool),
    20: Claim("wifi_auth", _one_of(eat.WIFI_AUTH)),
    21: Claim("own_link_scheme", _one_of(eat.LINK_SCHEMES)),
    22: Claim("own_link_verified", _bool),
    23: Claim("own_tls_version", _one_of(eat.TLS_VERSIONS)),
    24: Claim("own_link_anchor", _sha256),
    25: Claim("nvs_enc", _bool),
    26: Claim("plain_secrets", _uint),
    27: Claim("key_blocks_readable", _uint),
    28: Claim("cfg_digest", _sha256),
    29: Claim("fuses", _hex(4, 64)),
    30: Claim("declared", _declared),
    31: Claim("elf_digest", _sha256),
    32: Claim("app_intact", _bool),
    33: Claim("app_signers", _digests),
    34: Claim("app_signed_digest", _sha256),
    35: Claim("app_version", _word),
    36: Claim("idf_version", _word),
    37: Claim("reboot_pending", _bool),
    38: Claim("rollback_possible", _bool),
    39: Claim("agent_version", _word),
    40: Claim("agent_frozen", _bool),
    41: Claim("shadowed", _names),
    42: Claim("webrepl_cfg_present", _bool),
    43: Claim("ble_on", _bool),
}

DECLARED_CLAIMS = {
    1: Claim("password_state", _one_of(eat.PASSWORD_STATES)),
    2: Claim("factory_state", _bool),
    3: Claim("has_network_login", _bool),
    4: Claim("lockout", _one_of(eat.LOCKOUTS)),
    5: Claim("lockout_max_tries", _uint),
    6: Claim("net_config", _bool),
    7: Claim("config_write_auth", _bool),
    8: Claim("service_auth", _list(16, _one_of(eat.SERVICE_AUTH))),
    9: Claim("auth_algs", _names),
    10: Claim("algs", _names),
    11: Claim("services", _names),
    12: Claim("listeners", _names),
    13: Claim("links", _names),
    14: Claim("links_verified", _bool),
    15: Claim("tls_min", _one_of(eat.TLS_VERSIONS)),
    16: Claim("wifi_auth", _one_of(eat.WIFI_AUTH)),
    17: Claim("ble_pairing", _one_of(eat.BLE_PAIRING)),
    18: Claim("update_auth", _one_of(eat.DECLARED_UPDATE_AUTH)),
    19: Claim("auto_update", _bool),
    20: Claim("update_last_check", _whole(MAX_TIME)),
    21: Claim("telemetry", _names),
    22: Claim("sensors", _names),
    23: Claim("location_present", _bool),
    24: Claim("erase_supported", _bool),
    25: Claim("factory_reset", _bool),
    26: Claim("wdt_on", _bool),
    27: Claim("log_on", _bool),
    28: Claim("time_synced", _bool),
    29: Claim("cfg_survived_reboot", _bool),
}

# the `d.` names that nobody but the application's maker can say
DECLARED_ONLY = frozenset(
    f"d.{claim.name}"
    for claim in DECLARED_CLAIMS.values()
    if claim.name not in {row.name for row in PRIVATE_CLAIMS.values()}
)
