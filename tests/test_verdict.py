"""The state of a unit: the twelve boards of the demo, and the rule that leads to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from honest import DAY, NOW, POLICY, STATEMENT, own_use, release, sold
from troth.catalogue import bundled
from troth.core.device import Registration
from troth.core.duties import Facts, Outcome, Party
from troth.core.verdict import State, duty_set, judge, state_of, would_fail_if_sold

CATALOGUE = bundled()
OTHER, ELSE = "ff" * 32, "ee" * 32

_OLD = release("1.3.9", app_digest="39" * 32, released=NOW - 210 * DAY, withdrawn=NOW - 45 * DAY)
_NEW = release("1.4.0")
_LEAKY = release(secret_hits=1)
MAKER, OPERATOR = Party.MAKER, Party.OPERATOR

# board: facts, state, what of its duty set fails and who owes it
BOARDS: dict[str, tuple[Facts, State, dict[str, Party]]] = {
    "therm-01 healthy": (sold(), State.COMPLIANT, {}),
    "therm-02 healthy, uk": (sold("uk"), State.COMPLIANT, {}),
    "bench-01 own use": (own_use(), State.COMPLIANT, {}),
    "therm-03 webrepl-technician": (
        sold(webrepl_on=True, code_digest=OTHER, cfg_digest=ELSE),
        State.NON_COMPLIANT,
        {
            "surface.no-webrepl": OPERATOR,
            "boot.files-known": OPERATOR,
            "cfg.no-drift": OPERATOR,
        },
    ),
    "cam-01 webrepl-shipped": (
        sold("uk", releases=(_LEAKY,), webrepl_on=True),
        State.NON_COMPLIANT,
        {
            "surface.no-webrepl": MAKER,
            "store.no-hardcoded": MAKER,
            "auth.no-default-password": MAKER,
        },
    ),
    "therm-04 old-firmware": (
        sold(releases=(_OLD, _NEW), app_digest=_OLD.app_digest),
        State.NON_COMPLIANT,
        {"upd.current": OPERATOR, "upd.not-withdrawn": OPERATOR},
    ),
    "therm-05 changed-file": (
        sold(code_digest=OTHER),
        State.NON_COMPLIANT,
        {"boot.files-known": OPERATOR},
    ),
    "therm-06 debug-open": (
        sold(jtag="enabled", line=("surface.debug-locked",)),
        State.NON_COMPLIANT,
        {"surface.debug-locked": MAKER},
    ),
    "bench-02 tampered-firmware": (
        own_use(app_digest=OTHER),
        State.NON_COMPLIANT,
        {"boot.firmware-known": OPERATOR},
    ),
    "therm-07 impostor: nothing of it is evidence": (sold(), State.COMPLIANT, {}),
    "therm-08 silent": (
        sold(seen={"last_evidence": NOW - POLICY.max_evidence_age}),
        State.STALE,
        {"attest.fresh": OPERATOR},
    ),
    "gate-01 support-shortened": (
        sold("uk", seen={"support_end_max_seen": (STATEMENT.support_end or 0) + 365 * DAY}),
        State.NON_COMPLIANT,
        {"support.not-shortened": MAKER},
    ),
    # and the faults that no demo board has
    "webrepl-on by hand": (
        sold(webrepl_on=True, cfg_digest=ELSE),
        State.NON_COMPLIANT,
        {"surface.no-webrepl": OPERATOR, "cfg.no-drift": OPERATOR},
    ),
    "open-ap": (
        sold(ap_on=True, ap_auth="open", cfg_digest=ELSE),
        State.NON_COMPLIANT,
        {"surface.no-open-ap": OPERATOR, "cfg.no-drift": OPERATOR},
    ),
    "tampered-firmware, sold": (
        sold(app_digest=OTHER),
        State.NON_COMPLIANT,
        {"boot.firmware-known": OPERATOR},
    ),
}


@pytest.mark.parametrize("case", BOARDS.values(), ids=BOARDS)
def test_each_board_fails_exactly_its_fault(
    case: tuple[Facts, State, dict[str, Party]],
) -> None:
    facts, state, owed = case
    verdict = judge(facts, CATALOGUE)
    assert {each.duty: each.owed_by for each in verdict.failing} == owed
    assert verdict.state is state
    assert verdict.device == facts.u.device
    assert len(verdict.appraisals) == len(CATALOGUE.duties)


@pytest.mark.parametrize("market", ["eu", "uk", "au", "us-ca"])
def test_an_honest_sold_board_breaches_nothing_and_each_silence_has_its_reason(market: str) -> None:
    verdict = judge(sold(market), CATALOGUE)
    for each in verdict.appraisals:
        assert each.outcome not in (Outcome.NOT_MET, Outcome.ERROR), each
        assert (each.outcome is Outcome.NOT_SHOWN) is (each.reason is not None), each
        assert each.because
    silent = {each.duty for each in verdict.appraisals if each.outcome is Outcome.NOT_SHOWN}
    assert not silent & verdict.duty_set.grave
    assert verdict.state is State.COMPLIANT


def test_a_bench_board_would_fail_seven_duties_if_sold() -> None:
    assert would_fail_if_sold(own_use(), CATALOGUE) == (
        "attest.key-custody",
        "boot.secure-boot",
        "store.flash-encrypted",
        "store.secrets-protected",
        "surface.debug-locked",
        "surface.no-serial-repl",
        "upd.mechanism",
    )
    assert would_fail_if_sold(sold(), CATALOGUE) == ()


def test_a_sold_board_without_a_statement_is_unknown_not_compliant() -> None:
    assert judge(sold(statement=None), CATALOGUE).state is State.UNKNOWN
    assert judge(sold("uk", statement=None), CATALOGUE).state is State.UNKNOWN


def test_a_board_that_never_reported_is_unknown() -> None:
    assert judge(sold(seen={"last_evidence": None}), CATALOGUE).state is State.UNKNOWN


def test_silence_makes_a_failing_board_stale_too() -> None:
    facts = sold(webrepl_on=True, seen={"last_evidence": NOW - 3 * DAY})
    assert judge(facts, CATALOGUE).state is State.STALE


def test_an_opted_out_board_is_never_stale() -> None:
    facts = sold(seen={"last_evidence": NOW - 300 * DAY})
    facts = facts._replace(u=replace(facts.u, monitoring_optout=True))
    assert judge(facts, CATALOGUE).state is State.COMPLIANT


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({"a": "met", "b": "met"}, State.COMPLIANT),
        ({"a": "met", "b": "not-applicable"}, State.COMPLIANT),
        ({"a": "met", "b": "declared"}, State.COMPLIANT),
        ({"a": "met", "b": "not-shown"}, State.COMPLIANT),  # b is not grave
        ({"a": "not-shown", "b": "met"}, State.UNKNOWN),
        ({"a": "error", "b": "met"}, State.UNKNOWN),
        ({"a": "met", "b": "error"}, State.UNKNOWN),
        ({"a": "waived", "b": "met"}, State.WAIVED),
        ({"a": "waived", "b": "error"}, State.UNKNOWN),
        ({"a": "not-shown", "b": "not-met"}, State.NON_COMPLIANT),
        ({"a": "error", "b": "not-met"}, State.NON_COMPLIANT),
        ({"a": "met"}, State.UNKNOWN),  # a duty that nobody answered
    ],
)
def test_the_worst_answer_of_the_duty_set_decides(found: dict[str, str], state: State) -> None:
    outcomes = {duty: Outcome(word) for duty, word in {**found, "c": "not-met"}.items()}
    assert state_of(sold(), outcomes, frozenset("ab"), frozenset("ac")) is state


def test_an_empty_duty_set_is_unknown_never_compliant() -> None:
    assert state_of(sold(), {"a": Outcome.MET}, frozenset(), frozenset()) is State.UNKNOWN
    bare = replace(CATALOGUE, regimes=())
    assert judge(sold(), bare).state is State.UNKNOWN


def test_only_critical_and_high_duties_are_grave() -> None:
    grave = duty_set(CATALOGUE, sold().u, NOW).grave
    assert {"boot.firmware-known", "upd.current"} <= grave
    assert not {"time.close", "cfg.market", "resil.orderly"} & grave


def test_what_fails_outside_the_duty_set_is_answered_and_does_not_count() -> None:
    verdict = judge(own_use(), CATALOGUE)
    outside = {each.duty for each in verdict.appraisals if each.outcome is Outcome.NOT_MET}
    assert "surface.no-serial-repl" in outside
    assert verdict.failing == ()


@pytest.mark.parametrize("facts", [sold(), own_use(), sold("uk")], ids=["eu", "own", "uk"])
def test_before_until_the_clock_alone_changes_nothing(facts: Facts) -> None:
    first = judge(facts, CATALOGUE)
    assert first.until is not None
    for later in (NOW + 1, (NOW + first.until) // 2, first.until - 1):
        then = judge(facts._replace(now=later), CATALOGUE)
        assert [each.outcome for each in then.appraisals] == [
            each.outcome for each in first.appraisals
        ]
        assert (then.state, then.duty_set, then.until) == (
            first.state,
            first.duty_set,
            first.until,
        )
    turned = judge(facts._replace(now=first.until), CATALOGUE)
    assert turned.state is State.STALE


def test_a_registration_of_nothing_is_judged_without_an_error() -> None:
    nobody = Registration(device="x", ueid="", model=None, chip=None)
    verdict = judge(sold()._replace(u=nobody), CATALOGUE)
    found = {each.duty: each.outcome for each in verdict.appraisals}
    assert found["ident.model-known"] is Outcome.NOT_SHOWN
    assert Outcome.ERROR not in found.values()


def test_a_board_whose_maker_says_all_and_whose_feeds_are_fresh_leaves_nothing_open() -> None:
    facts = sold("uk", factory_state=False, **APPLICATION)
    said = replace(facts.m, **DECLARED)
    facts = facts._replace(m=said, f=replace(facts.f, **FEEDS), v=facts.v._replace(skew_s=0))
    open_ = {
        each.duty: each.because
        for each in judge(facts, CATALOGUE).appraisals
        if each.outcome not in (Outcome.MET, Outcome.NOT_APPLICABLE)
    }
    assert open_ == {}


APPLICATION: dict[str, object] = {
    "password_state": "unique",
    "has_network_login": True,
    "lockout": "backoff",
    "net_config": True,
    "config_write_auth": True,
    "service_auth": ("certificate",),
    "auth_algs": ("ES256",),
    "services": ("https",),
    "listeners": ("443/tcp",),
    "links": ("https", "mqtts"),
    "links_verified": True,
    "tls_min": "1.2",
    "ble_on": True,
    "ble_pairing": "lesc",
    "auto_update": True,
    "update_last_check": NOW - DAY,
    "telemetry": ("temperature",),
    "sensors": ("temperature",),
    "location_present": True,
    "erase_supported": True,
    "factory_reset": True,
    "log_on": True,
    "cfg_survived_reboot": True,
    "wifi_joined": True,
    "wifi_auth": "wpa3",
}
DECLARED: dict[str, object] = {
    "credential_change": True,
    "vuln_process_ref": "P-1",
    "vuln_process_reviewed": NOW - DAY,
    "advisory_delayed": ("CVE-2",),
    "eol_notice": True,
    "archive_url": "https://maker.example/updates",
    "update_instructions": "https://maker.example/update",
    "security_updates_free": True,
    "security_updates_separate": True,
    "replay_protection": "TLS and a counter",
    "crypto_agile": True,
    "crypto_algs": ("ES256",),
    "declared_ports": ("443/tcp",),
    "declared_sensors": ("temperature",),
    "declared_telemetry": ("temperature",),
    "unauth_disclosure_ref": "R-3",
    "default_profile_digest": "cf" * 32,
    "local_function": True,
    "erase_instructions": "https://maker.example/erase",
    "personal_data": True,
    "privacy_notice_url": "https://maker.example/privacy",
    "dpia_ref": "D-1",
    "location_declared": True,
    "location_basis": "contract",
    "risk_ref": "R-1",
    "risk_date": NOW - DAY,
    "fuzz_ref": "F-1",
    "fuzz_version": "1.0.0",
    "sdlc_ref": "SSDF 1.1",
    "guide_urls": ("https://maker.example/guide",),
    "guide_languages": ("en",),
    "importer": "Import Ltd",
    "importer_contact": "Quay 1",
    "distributor": "Shop Ltd",
    "checked_by_importer": "C-1",
    "checked_by_distributor": "C-2",
    "maker_name": "Maker",
    "maker_address": "Street 1",
    "product_type": "lamp",
    "signatory": "A. Person",
    "signatory_role": "director",
    "place": "Delft",
}
FEEDS: dict[str, object] = {
    "vuln_feed_at": NOW - DAY,
    "vulns_open": (),
    "vulns_fixable": (),
    "vulns_fixed": ("CVE-1", "CVE-2"),
    "vulns_unadvised": ("CVE-2",),
    "sbom_valid": True,
    "sbom_missing": (),
    "sbom_subject_digest": "a1" * 32,
    "sbom_at": NOW - DAY,
    "components_eol": (),
    "component_feed_at": NOW - DAY,
    "contact_ok": True,
    "contact_checked": NOW - DAY,
    "contact_expires": NOW + 300 * DAY,
    "incident_feed_at": NOW - DAY,
    "exploited_count": 1,
    "exploited_due": NOW + DAY,
    "exploited_late": (),
    "severe_count": 1,
    "severe_due": NOW + DAY,
    "severe_late": (),
}
