"""What the maker released, what the operator approved, and the policy they are weighed by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statement:
    """The maker's signed statement for a model; a field is the `m.` name of the rules."""

    support_url: str | None = None
    support_end: int | None = None
    expected_use: int | None = None  # seconds
    support_justification: str | None = None
    vdp_url: str | None = None
    vdp_contact: str | None = None
    vdp_ack_days: int | None = None
    vdp_status_days: int | None = None
    statement_ref: str | None = None
    statement_models: tuple[str, ...] | None = None
    markets: tuple[str, ...] | None = None
    password_kind: str | None = None  # none user unique default
    update_impossible_reason: str | None = None
    isolable: bool | None = None
    replaceable: bool | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """One signed release record of a model, as verified by the store's door."""

    id: str  # sha-256 hex of the signed record
    model: str
    chip: str
    version: str
    released: int  # unix s
    app_digest: str
    code_digest: str
    cfg_digest: str
    secure_version: int
    boot_key_digests: tuple[str, ...]
    anti_rollback: bool
    secret_hits: int
    statement: Statement | None
    withdrawn: int | None = None  # unix s


@dataclass(frozen=True, slots=True)
class Policy:
    """The operator's own numbers (policy.toml): shown as policy, never as law."""

    max_evidence_age: int = 86_400  # s
    approved_algs: tuple[str, ...] = ("ES256",)
    max_reconnects: int = 60  # per hour
    max_boots_24h: int = 24
    fix_grace: int = 30 * 86_400  # s
    anchors: tuple[str, ...] = ()  # sha-256 hex of the DER of approved trust anchors


@dataclass(frozen=True, slots=True)
class Reference:
    """All fleet-scoped `r.` names for one model, chip and claims-set. None: nobody said.

    `app_digests`, `withdrawn_digests` and `current_digests` are those of this model and chip;
    `code_digests` those of the release whose image runs; `cfg_digests` those of any release of
    the model plus the operator's approved baselines.
    """

    max_evidence_age: int | None = None
    approved_algs: tuple[str, ...] | None = None
    app_digests: tuple[str, ...] | None = None
    withdrawn_digests: tuple[str, ...] | None = None
    current_digests: tuple[str, ...] | None = None
    code_digests: tuple[str, ...] | None = None
    boot_key_digests: tuple[str, ...] | None = None
    cfg_digests: tuple[str, ...] | None = None
    min_secver: int | None = None
    anti_rollback: bool | None = None
    anchors: tuple[str, ...] | None = None
    max_reconnects: int | None = None
    max_boots_24h: int | None = None
    release_secret_hits: int | None = None
    fix_grace: int | None = None
    # not names of rules, but what the party rule asks
    release: Release | None = None  # the one whose image runs
    newer_since: int | None = None  # when a newer release of the model came out, unix s
    as_shipped: bool = False  # image, code and settings all belong to `release`


def resolve(
    releases: tuple[Release, ...],
    approved_cfg: tuple[str, ...],
    policy: Policy,
    *,
    app_digest: str | None,
    code_digest: str | None,
    cfg_digest: str | None,
) -> Reference:
    """Choose what a claims-set is compared with, from all releases of its model and chip."""
    raise NotImplementedError
