"""What a device says of itself: the token (each time) and the claims-set (seldom changes)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..formats import eat
from ..tuples import new
from .errors import BadSignature, Malformed, Unsupported
from .labels import SET_CLAIMS, TOKEN_CLAIMS, fields, read_map
from .trust import VerifiedEvidence


class Token(NamedTuple):
    """The signed part of one report: what changes every time (RFC 9711 section 4)."""

    ueid: bytes
    nonce: bytes
    uptime_s: int
    boot_count: int
    boot_seed: bytes
    set_digest: bytes  # SHA-256 of the detached claims-set
    issued_at: int | None  # unix s; None: the device has no clock
    counter: int | None = None  # tokens of this boot, this one included; None: an older agent
    dropped: int | None = None  # reports that made room in the spool since it last said so


@dataclass(frozen=True, slots=True)
class DeviceClaims:
    """One claims-set, typed; a field is the `d.` name of the rules. None: was not said.

    Digests are lower-case hex. Holds nothing that names the device. The closed words of the text
    claims are in troth.cddl.
    """

    # standard EAT claims (RFC 9711)
    oemid: str | None = None
    hwmodel: str | None = None
    oemboot: bool | None = None
    dbgstat: int | None = None
    swname: str | None = None
    swversion: str | None = None
    # measurements
    app_digest: str | None = None
    code_digest: str | None = None
    agent_digest: str | None = None
    # the private map
    chip: str | None = None
    secure_boot: bool | None = None
    secure_boot_digests: tuple[str, ...] | None = None
    key_slots_free: int | None = None
    flash_enc: bool | None = None
    flash_enc_mode: str | None = None
    jtag: str | None = None
    dl_mode: str | None = None
    updatable: bool | None = None
    update_auth: str | None = None
    ota_state: str | None = None
    fallback_slot: str | None = None
    secver_fuse: int | None = None
    app_secver: int | None = None
    webrepl_on: bool | None = None
    repl: str | None = None
    ap_on: bool | None = None
    ap_auth: str | None = None
    wifi_joined: bool | None = None
    wifi_auth: str | None = None
    own_link_scheme: str | None = None
    own_link_verified: bool | None = None
    own_tls_version: str | None = None
    own_link_anchor: str | None = None
    nvs_enc: bool | None = None
    plain_secrets: int | None = None
    key_blocks_readable: int | None = None
    cfg_digest: str | None = None
    fuses: str | None = None  # hex of the security words, key blocks masked
    bootloader_digest: str | None = None
    partitions_digest: str | None = None
    elf_digest: str | None = None
    app_intact: bool | None = None
    app_signers: tuple[str, ...] | None = None
    app_signed_digest: str | None = None
    app_version: str | None = None
    idf_version: str | None = None
    reboot_pending: bool | None = None
    rollback_possible: bool | None = None
    agent_version: str | None = None
    agent_frozen: bool | None = None
    shadowed: tuple[str, ...] | None = None
    webrepl_cfg_present: bool | None = None
    ble_on: bool | None = None
    # what an application declares
    password_state: str | None = None
    factory_state: bool | None = None
    has_network_login: bool | None = None
    lockout: str | None = None
    lockout_max_tries: int | None = None
    net_config: bool | None = None
    config_write_auth: bool | None = None
    service_auth: tuple[str, ...] | None = None
    auth_algs: tuple[str, ...] | None = None
    algs: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None
    listeners: tuple[str, ...] | None = None
    links: tuple[str, ...] | None = None
    links_verified: bool | None = None
    tls_min: str | None = None
    ble_pairing: str | None = None
    auto_update: bool | None = None
    update_last_check: int | None = None
    telemetry: tuple[str, ...] | None = None
    sensors: tuple[str, ...] | None = None
    location_present: bool | None = None
    erase_supported: bool | None = None
    factory_reset: bool | None = None
    wdt_on: bool | None = None
    log_on: bool | None = None
    time_synced: bool | None = None
    cfg_survived_reboot: bool | None = None
    declared: frozenset[str] = frozenset()  # the `d.` names of this set that were declared


@dataclass(frozen=True, slots=True)
class ClaimsSet:
    """A read claims-set and the SHA-256 (32 bytes) by which tokens refer to it."""

    digest: bytes
    claims: DeviceClaims

    def __hash__(self) -> int:
        """Asked at every report: the digest already stands for all claims."""
        return hash(self.digest)


def read_token(verified: VerifiedEvidence) -> Token:
    """Turn the authenticated payload into a token; BadSignature `id.mismatch` if it names another.

    Raises Malformed with path `claims/...`.
    """
    token = _expected(verified.payload) or _general(verified.payload)
    if token.ueid != verified.key.ueid:
        raise BadSignature("id.mismatch", "the signer names another device", path="claims/ueid")
    return token


def check_set_digest(raw: bytes, digest: bytes) -> None:
    """Raise Malformed `set.mismatch` unless these are the bytes that the token signed."""
    if hashlib.sha256(raw).digest() != digest:
        raise Malformed("set.mismatch", "not the claims-set that was signed", path="set")


def read_claims_set(raw: bytes, digest: bytes) -> ClaimsSet:
    """Read a detached claims-set that must have this SHA-256 (`set.mismatch` otherwise)."""
    check_set_digest(raw, digest)
    said = fields(read_map(raw, "set"), SET_CLAIMS, "set")
    said |= said.pop("measurements")
    said |= said.pop("private")
    return ClaimsSet(digest, DeviceClaims(**_with_declared(said)))


def _with_declared(said: dict[str, Any]) -> dict[str, Any]:
    """What a board knows by itself goes before what its maker declares."""
    known = {"update_auth"} if said.get("update_auth", "none") != "none" else set()
    known |= {"wifi_auth"} & said.keys()
    declared = {name: v for name, v in said.pop("declared", {}).items() if name not in known}
    return said | declared | {"declared": frozenset(f"d.{name}" for name in declared)}


# The one sequence of bytes in which an honest agent writes its token: its claims in the order
# of their labels. Everything else goes the general way, which gives the same answer, slower.
_UINT = rb"([\x00-\x17] | \x18[\x18-\xff] | \x19[\x01-\xff]. | \x1a(?!\x00\x00)....)"
_EXPECTED = re.compile(
    rb"([\xa7-\xa9]) (?: \x06" + _UINT + rb")?"  # iat
    rb"\x0a \x58\x20 (.{32})"  # eat_nonce
    rb"\x19\x01\x00 \x47 (\x02.{6})"  # ueid
    rb"\x19\x01\x05"
    + _UINT  # uptime
    + rb"\x19\x01\x09 \x54"
    + re.escape(eat.PROFILE)  # eat_profile
    + rb"\x19\x01\x0a \xa1\x63cfg \x82\x2f\x58\x20 (.{32})"  # submods: SHA-256 of the set
    rb"\x19\x01\x0b"
    + _UINT  # bootcount
    + rb"\x19\x01\x0c \x48 (.{8})"  # bootseed
    + rb"(?: \x3a\x00\x01\x38\x81"
    + _UINT
    + rb")?",  # counter
    re.DOTALL | re.VERBOSE,
)


def _expected(payload: bytes) -> Token | None:
    found = _EXPECTED.fullmatch(payload)
    if found is None:
        return None
    head, iat, nonce, ueid, uptime, digest, boots, seed, counter = found.groups()
    if head[0] - 0xA7 != (iat is not None) + (counter is not None):
        return None
    said = (
        ueid,
        nonce,
        _big(uptime[len(uptime) > 1 :], "big"),  # a number below 24 is its own head
        _big(boots[len(boots) > 1 :], "big"),
        seed,
        digest,
        _big(iat[len(iat) > 1 :], "big") if iat else None,
        _big(counter[len(counter) > 1 :], "big") if counter else None,
        None,
    )
    return new(Token, said)


_big = int.from_bytes


def _general(payload: bytes) -> Token:
    said = read_map(payload, "claims")
    if said.get(eat.EAT_PROFILE, eat.PROFILE) != eat.PROFILE:
        raise Unsupported("profile.unsupported", "want Troth 1", path="claims/profile")
    claims = fields(said, TOKEN_CLAIMS, "claims")
    del claims["profile"]
    return Token(**({"issued_at": None} | claims))
