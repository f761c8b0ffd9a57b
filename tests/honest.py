"""Facts of honest boards, made by hand: what the duty tests bend into each fault."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from troth.core.claims import DeviceClaims
from troth.core.device import Observed, Profile, Provisioning, Registration
from troth.core.duties import Facts
from troth.core.reference import Policy, Release, Statement, resolve

DAY = 86_400
NOW = 1_795_392_000  # 2026-11-23
PLACED = 1_772_409_600  # 2026-03-02
ANCHOR = "ca" * 32
APP, CODE, CFG, KEY = "a1" * 32, "c0" * 32, "cf" * 32, "b0" * 32
POLICY = Policy(anchors=(ANCHOR,))

STATEMENT = Statement(
    support_url="https://maker.example/support",
    support_end=NOW + 6 * 365 * DAY,
    expected_use=5 * 365 * DAY,
    vdp_url="https://maker.example/disclosure",
    vdp_contact="security@maker.example",
    vdp_ack_days=5,
    vdp_status_days=30,
    statement_ref="DoC-1",
    statement_models=("lamp",),
    markets=("eu", "uk", "au", "us-ca"),
    password_kind="unique",
    password_generator="csprng",
)


def release(version: str = "1.0.0", **changes: Any) -> Release:
    """A signed release of `lamp`, 45 days old."""
    facts: dict[str, Any] = {
        "id": version,
        "model": "lamp",
        "chip": "esp32c3",
        "version": version,
        "released": NOW - 45 * DAY,
        "app_digest": APP,
        "code_digest": CODE,
        "cfg_digest": CFG,
        "secure_version": 1,
        "boot_key_digests": (KEY,),
        "anti_rollback": True,
        "secret_hits": 0,
        "statement": STATEMENT,
    }
    return Release(**{**facts, **changes})


_STOCK = DeviceClaims(
    oemid="00102f",
    hwmodel="lamp",
    oemboot=False,
    dbgstat=0,
    swname="lamp-fw",
    swversion="1.0.0",
    app_digest=APP,
    app_intact=True,
    app_signers=(),
    code_digest=CODE,
    shadowed=(),
    chip="esp32c3",
    secure_boot=False,
    secure_boot_digests=(),
    key_slots_free=3,
    flash_enc=False,
    flash_enc_mode="off",
    jtag="enabled",
    dl_mode="enabled",
    updatable=False,
    update_auth="none",
    ota_state="none",
    fallback_slot="none",
    secver_fuse=0,
    app_secver=0,
    webrepl_on=False,
    repl="open",
    ap_on=False,
    wifi_joined=True,
    own_link_scheme="https",
    own_link_verified=True,
    own_tls_version="1.2",
    own_link_anchor=ANCHOR,
    nvs_enc=False,
    plain_secrets=1,
    key_blocks_readable=0,
    cfg_digest=CFG,
    fuses="00000000",
)
_HARDENED = replace(
    _STOCK,
    oemboot=True,
    dbgstat=3,
    secure_boot=True,
    secure_boot_digests=(KEY,),
    app_signers=(KEY,),
    key_slots_free=0,
    flash_enc=True,
    flash_enc_mode="release",
    jtag="disabled",
    dl_mode="secure",
    updatable=True,
    update_auth="secure-boot",
    ota_state="valid",
    fallback_slot="empty-fresh",
    secver_fuse=1,
    app_secver=1,
    repl="sealed",
    nvs_enc=True,
    plain_secrets=0,
)
_SEEN = Observed(
    ueid_bound_to_key=True,
    sig_alg="ES256",
    last_evidence=NOW - 60,
    boot_forks=0,
    counter_regressions=0,
    fuse_regressions=0,
    skew_s=0,
    reconnects_per_h=1,
    boots_24h=1,
)


def board(
    d: DeviceClaims, u: Registration, *, releases: tuple[Release, ...], m: Statement, **v: Any
) -> Facts:
    """Facts as the verifier would put them together for these claims."""
    r = resolve(
        releases,
        (),
        POLICY,
        app_digest=d.app_digest,
        code_digest=d.code_digest,
        cfg_digest=d.cfg_digest,
    )
    seen = {"newer_release_since": r.newer_since, "support_end_max_seen": m.support_end, **v}
    record = u.provisioning
    return Facts(
        d=d,
        r=r,
        u=u,
        m=m,
        v=_SEEN._replace(**seen),
        now=NOW,
        profile=record.profile if record else Profile.P0,
    )


def line_record(profile: Profile, *failing: str) -> Provisioning:
    return Provisioning(PLACED, profile, "00000000", b"\0" * 32, failing)


def sold(
    market: str = "eu",
    *,
    releases: tuple[Release, ...] | None = None,
    statement: Statement | None = STATEMENT,
    line: tuple[str, ...] = (),
    seen: dict[str, Any] | None = None,
    **claims: Any,
) -> Facts:
    """A hardened board (P2), sold to consumers on a market."""
    unit = Registration(
        device="lamp-01",
        ueid="02deadbeef0001",
        model="lamp",
        chip="esp32c3",
        market=market,
        product_class="consumer",
        own_use=False,
        placed_on_market=PLACED,
        provisioning=line_record(Profile.P2, *line),
    )
    said = replace(_HARDENED, **claims)
    mine = (release(),) if releases is None else releases
    return board(said, unit, releases=mine, m=statement or Statement(), **(seen or {}))


def own_use(*, releases: tuple[Release, ...] | None = None, **claims: Any) -> Facts:
    """A stock board (P0) on its own maker's bench."""
    unit = Registration(
        device="bench-01",
        ueid="02deadbeef0002",
        model="lamp",
        chip="esp32c3",
        provisioning=line_record(Profile.P0),
    )
    plain = release(secure_version=0, boot_key_digests=(), anti_rollback=False, statement=None)
    said = replace(_STOCK, **claims)
    return board(said, unit, releases=releases or (plain,), m=Statement())
