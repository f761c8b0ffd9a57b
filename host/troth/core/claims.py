"""What a device says of itself: the token (each time) and the claims-set (seldom changes)."""

from __future__ import annotations

from dataclasses import dataclass

from .trust import VerifiedEvidence


@dataclass(frozen=True, slots=True)
class Token:
    """The signed part of one report: what changes every time (RFC 9711 section 4)."""

    ueid: bytes
    nonce: bytes
    uptime_s: int
    boot_count: int
    boot_seed: bytes
    set_digest: bytes  # SHA-256 of the detached claims-set
    issued_at: int | None  # unix s; None: the device has no clock


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


@dataclass(frozen=True, slots=True)
class ClaimsSet:
    """A read claims-set and the SHA-256 (32 bytes) by which tokens refer to it."""

    digest: bytes
    claims: DeviceClaims


def read_token(verified: VerifiedEvidence) -> Token:
    """Turn the authenticated payload into a token; BadSignature `id.mismatch` if it names another.

    Raises Malformed with path `claims/...`.
    """
    raise NotImplementedError


def read_claims_set(raw: bytes, digest: bytes) -> ClaimsSet:
    """Read a detached claims-set that must have this SHA-256 (`set.mismatch` otherwise)."""
    raise NotImplementedError
