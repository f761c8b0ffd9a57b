"""What the maker released, what the operator approved, and the policy they are weighed by."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    approved_algs: tuple[str, ...] = ("ES256", "HMAC 256/256")
    max_reconnects: int = 600  # per hour
    max_boots_24h: int = 24
    fix_grace: int = 30 * 86_400  # s
    anchors: tuple[str, ...] = ()  # sha-256 hex of the DER of approved trust anchors
    grace_after_enrolment: int = 0  # s
    waiver_four_eyes: bool = False  # who approves a waiver is another than who asks for it
    packs: tuple[str, ...] = ()  # folders of the operator's own duties and regimes


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
    """Choose what a claims-set is compared with, from all releases of its model and chip.

    Several releases may share one image and differ in their files: the running one is the image's
    release whose files, then settings, fit best. Where nobody released anything, nothing is said.
    """
    ours = tuple(release for release in releases if release.app_digest == app_digest)
    running = _running(ours, code_digest, cfg_digest)
    offered = [release for release in releases if release.withdrawn is None]
    newest = max(offered, key=_age, default=None)
    basis = running or newest
    return Reference(
        max_evidence_age=policy.max_evidence_age,
        approved_algs=policy.approved_algs,
        app_digests=_said(release.app_digest for release in releases),
        withdrawn_digests=_withdrawn(releases, running) if releases else None,
        current_digests=_current(newest, running) if releases else None,
        code_digests=_said(release.code_digest for release in ours),
        boot_key_digests=_said(key for release in releases for key in release.boot_key_digests),
        cfg_digests=_said((*(release.cfg_digest for release in releases), *approved_cfg)),
        min_secver=basis.secure_version if basis else None,
        anti_rollback=basis.anti_rollback if basis else None,
        anchors=_said(policy.anchors),
        max_reconnects=policy.max_reconnects,
        max_boots_24h=policy.max_boots_24h,
        release_secret_hits=running.secret_hits if running else None,
        fix_grace=policy.fix_grace,
        release=running,
        newer_since=_newer_since(offered, running),
        as_shipped=running is not None
        and (running.code_digest, running.cfg_digest) == (code_digest, cfg_digest),
    )


def _running(
    ours: tuple[Release, ...], code_digest: str | None, cfg_digest: str | None
) -> Release | None:
    def fit(release: Release) -> tuple[bool, bool, bool, _Age]:
        return (
            release.code_digest == code_digest,
            release.cfg_digest == cfg_digest,
            release.withdrawn is None,
            _age(release),
        )

    return max(ours, key=fit, default=None)


_Age = tuple[int, tuple[tuple[int, int, str], ...]]


def _age(release: Release) -> _Age:
    """Order of coming out; a version breaks the tie, its numbers compared as numbers."""
    parts = re.split(r"[.+-]", release.version)
    order = tuple((1, int(p), "") if p.isdecimal() else (0, 0, p) for p in parts)
    return release.released, order


def _said(values: Iterable[str]) -> tuple[str, ...] | None:
    """Each once; an empty list would say "none is good", so it is None: nobody said."""
    return tuple(dict.fromkeys(values)) or None


def _withdrawn(releases: tuple[Release, ...], running: Release | None) -> tuple[str, ...]:
    """Withdrawn images, but not for a release that keeps the image and changes the files."""
    spared = {running.app_digest} if running and running.withdrawn is None else set()
    gone = (release.app_digest for release in releases if release.withdrawn is not None)
    return tuple(digest for digest in dict.fromkeys(gone) if digest not in spared)


def _current(newest: Release | None, running: Release | None) -> tuple[str, ...]:
    """The newest image on offer, unless the running release only shares it with the newest."""
    if newest is None:
        return ()
    shares = running is not None and running.app_digest == newest.app_digest
    return () if shares and running != newest else (newest.app_digest,)


def _newer_since(offered: list[Release], running: Release | None) -> int | None:
    if running is None:
        return None
    newer = (release.released for release in offered if _age(release) > _age(running))
    return min(newer, default=None)
