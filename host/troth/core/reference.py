"""What the maker released, what the operator approved, and the policy they are weighed by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .versions import Key, order, within


@dataclass(frozen=True, slots=True)
class Statement:
    """The maker's signed declaration for a model; a field is the `m.` name of the rules.

    The last fields are no names of rules: whose word it is, about what, and for how long.
    """

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
    password_generator: str | None = None  # csprng keyed-kdf derived
    credential_change: bool | None = None
    vuln_process_ref: str | None = None
    vuln_process_reviewed: int | None = None  # unix s, as all its days
    advisory_delayed: tuple[str, ...] | None = None
    eol_notice: bool | None = None
    eol_notice_infeasible: str | None = None
    archive_url: str | None = None
    update_instructions: str | None = None
    security_updates_free: bool | None = None
    security_updates_separate: bool | None = None
    security_updates_inseparable: str | None = None
    replay_protection: str | None = None
    crypto_agile: bool | None = None
    crypto_algs: tuple[str, ...] | None = None
    sensitive_in_flash: bool | None = None
    declared_ports: tuple[str, ...] | None = None
    declared_modules: tuple[str, ...] | None = None
    declared_sensors: tuple[str, ...] | None = None
    declared_telemetry: tuple[str, ...] | None = None
    unauth_disclosure_ref: str | None = None
    default_profile_digest: str | None = None
    local_function: bool | None = None
    erase_instructions: str | None = None
    personal_data: bool | None = None
    traffic_data: bool | None = None
    children: bool | None = None  # a toy, or for childcare
    money: bool | None = None  # moves money or what stands for it
    network_equipment: bool | None = None
    privacy_notice_url: str | None = None
    dpia_ref: str | None = None
    location_declared: bool | None = None
    location_basis: str | None = None
    sbom_ref: str | None = None
    risk_ref: str | None = None
    risk_date: int | None = None
    fuzz_ref: str | None = None
    fuzz_version: str | None = None
    sdlc_ref: str | None = None
    guide_urls: tuple[str, ...] | None = None
    guide_languages: tuple[str, ...] | None = None
    importer: str | None = None  # who brings it onto this market; empty: the maker himself
    importer_contact: str | None = None
    distributor: str | None = None
    checked_by_importer: str | None = None  # reference of his own check of the papers
    checked_by_distributor: str | None = None
    models: tuple[str, ...] | None = None
    versions: str | None = None  # a range of core.versions; None: all
    valid_from: int | None = None
    valid_until: int | None = None
    maker_name: str | None = None
    maker_address: str | None = None
    representative: str | None = None
    product_type: str | None = None
    product_batches: tuple[str, ...] | None = None
    intended_use: str | None = None
    standards: tuple[str, ...] | None = None
    test_reports: tuple[str, ...] | None = None
    signatory: str | None = None
    signatory_role: str | None = None
    place: str | None = None
    unsaid: str = ""  # why nothing is said here, where something was

    @property
    def traits(self) -> frozenset[str]:
        """What the product is or does, in the words that regimes' conditions use."""
        said = {
            "personal-data": self.personal_data,
            "traffic-data": self.traffic_data,
            "location-data": self.location_declared,
            "children": self.children,
            "money": self.money,
            "network-equipment": self.network_equipment,
        }
        return frozenset(trait for trait, holds in said.items() if holds)

    def covers(self, version: str | None) -> bool:
        """Is it about this version? Of an unknown one only what holds for all is said."""
        return self.versions is None or (version is not None and within(version, self.versions))


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
    max_feed_age: int = 7 * 86_400  # s
    review_interval: int = 366 * 86_400  # s
    update_check_interval: int = 7 * 86_400  # s
    max_tries: int = 10  # of a login
    max_cvss: float = 7.0  # a vulnerability below it, and not exploited, is no finding
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
    max_feed_age: int | None = None
    review_interval: int | None = None
    update_check_interval: int | None = None
    max_tries: int | None = None
    release_version: str | None = None
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
        max_feed_age=policy.max_feed_age,
        review_interval=policy.review_interval,
        update_check_interval=policy.update_check_interval,
        max_tries=policy.max_tries,
        release_version=running.version if running else None,
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


_Age = tuple[int, Key]


def _age(release: Release) -> _Age:
    """Order of coming out; a version breaks the tie."""
    return release.released, order(release.version)


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
