"""Every duty is answered every time: why, how strong, owed by whom, and until when."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from honest import DAY, NOW, PLACED, STATEMENT, line_record, own_use, release, sold
from troth.catalogue import bundled
from troth.core.device import Observed, Profile
from troth.core.duties import (
    Appraisal,
    Assurance,
    Duty,
    Facts,
    Outcome,
    Party,
    Reason,
    appraise,
    assurance,
)
from troth.core.reference import Statement
from troth.core.verdict import Regime, judge

CATALOGUE = bundled()
DUTIES = CATALOGUE.duties
BY_ID = {duty.id: duty for duty in DUTIES}
OTHER = "ff" * 32


def of(facts: Facts, duty: str) -> Appraisal:
    return appraise(facts, (BY_ID[duty],))[0]


def outcomes(facts: Facts) -> dict[str, Outcome]:
    return {each.duty: each.outcome for each in appraise(facts, DUTIES)}


# --- the honest boards of the catalogue's review ----------------------------------------------

_P0_NOT_MET = {
    "attest.key-custody",
    "boot.secure-boot",
    "store.flash-encrypted",
    "store.secrets-protected",
    "surface.debug-locked",
    "surface.no-serial-repl",
}
_ONLY_UPDATABLE = {"upd.signed", "upd.anti-rollback", "upd.recoverable"}
_DECLARED = {
    "auth.no-default-password",
    "cfg.market",
    "doc.statement",
    "support.in-force",
    "support.not-shortened",
    "support.published",
    "vuln.policy",
}
_SOLD_P0 = {"updatable": True, "ota_state": "undefined", "fallback_slot": "valid"}
_P1 = replace(sold().u, key_origin="efuse", provisioning=line_record(Profile.P1))
_NO_EXCUSE = replace(STATEMENT, update_impossible_reason="")
HONEST: dict[str, tuple[Facts, set[str], set[str], set[str]]] = {
    # name: facts, not met, not shown, not applicable; all else is met
    "P2 sold with statement": (sold(), set(), {"comm.wifi-secure"}, {"support.length"}),
    "P2 sold without statement": (
        sold(statement=None),
        set(),
        {"comm.wifi-secure", *_DECLARED},
        {"support.length"},
    ),
    "P0 sold with statement": (
        own_use(**_SOLD_P0)._replace(u=sold().u, m=STATEMENT, v=sold().v),
        {*_P0_NOT_MET, "upd.signed", "upd.anti-rollback"},
        {"comm.wifi-secure"},
        {"support.length", "boot.key-slots"},
    ),
    "P1 sold with statement": (
        own_use(plain_secrets=0)._replace(u=_P1, m=_NO_EXCUSE, v=sold().v, profile=Profile.P1),
        _P0_NOT_MET - {"attest.key-custody", "store.secrets-protected"} | {"upd.mechanism"},
        {"comm.wifi-secure"},
        {"support.length", "boot.key-slots", *_ONLY_UPDATABLE},
    ),
    "P0 own use": (
        own_use(),
        _P0_NOT_MET,
        {"comm.wifi-secure", "upd.mechanism", *_DECLARED},
        {"support.length", "boot.key-slots", *_ONLY_UPDATABLE},
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_board_answers_as_reviewed(name: str) -> None:
    facts, *wanted = HONEST[name]
    found = outcomes(facts)
    kinds = (Outcome.NOT_MET, Outcome.NOT_SHOWN, Outcome.NOT_APPLICABLE)
    for kind, want in zip(kinds, wanted, strict=True):
        same = {duty for duty, outcome in found.items() if outcome is kind}
        # duties that came after the review may be open on these boards, and never failed
        assert same == want if kind is Outcome.NOT_MET else same >= want, kind
    assert set(found.values()) <= {*kinds, Outcome.MET}


@pytest.mark.parametrize("regime", CATALOGUE.regimes, ids=lambda regime: regime.id)
def test_a_healthy_hardened_board_falls_short_of_nothing_in_any_regime(regime: Regime) -> None:
    """Placed on the day from which all of the regime's lines bind, with a statement to match."""
    days = (day for line in regime.lines for day in (line.since, line.placed_from))
    day = max(PLACED, regime.in_force or 0, *(day or 0 for day in days))
    now = max(NOW, day + DAY)
    facts = sold(regime.markets[0] if regime.markets else "eu")
    facts = facts._replace(
        u=replace(facts.u, placed_on_market=day),
        m=replace(facts.m, support_end=day + 6 * 365 * DAY),
        v=facts.v._replace(last_evidence=now - 60, support_end_max_seen=day + 6 * 365 * DAY),
        now=now,
    )
    verdict = judge(facts, CATALOGUE)
    assert not regime.binding or regime.id in verdict.duty_set.regimes
    asked = {line.duty for line in regime.lines}
    said = [each for each in verdict.appraisals if each.duty in asked]
    assert {each.duty for each in said} == asked
    assert [each.duty for each in said if each.outcome is Outcome.NOT_MET] == []
    for each in said:
        assert each.outcome is not Outcome.ERROR
        if each.outcome is Outcome.NOT_SHOWN:
            assert each.reason in (Reason.PROFILE_CANNOT, Reason.UNDECLARED, Reason.NO_FEED)
            assert all((each.because, each.owed_by, each.remedy)), each.duty


# --- reasons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "duty", "reason", "says"),
    [
        (sold(), "comm.wifi-secure", Reason.PROFILE_CANNOT, "the board does not show"),
        (sold(statement=None), "vuln.policy", Reason.UNDECLARED, "nobody has declared"),
        (own_use(), "cfg.market", Reason.UNDECLARED, "the markets it is made for"),
        (sold(seen={"skew_s": None}), "time.close", Reason.NO_FEED, "no record yet of the clock"),
        (sold(jtag=None), "surface.debug-locked", Reason.PROFILE_CANNOT, "the JTAG state"),
    ],
    ids=["profile", "statement", "market", "feed", "board"],
)
def test_what_is_not_shown_says_why(facts: Facts, duty: str, reason: Reason, says: str) -> None:
    found = of(facts, duty)
    assert (found.outcome, found.reason) == (Outcome.NOT_SHOWN, reason)
    assert says in found.because
    assert found.owed_by is not None


def test_a_claim_that_the_profile_must_show_and_keeps_back_is_not_met() -> None:
    facts = sold(jtag=None)._replace(must_show=frozenset({"d.jtag"}))
    found = of(facts, "surface.debug-locked")
    assert (found.outcome, found.reason) == (Outcome.NOT_MET, Reason.WITHHELD)
    assert found.because == (
        "the board keeps back the JTAG state, which it must show or showed before"
    )


def test_a_claim_that_this_firmware_showed_before_cannot_fall_silent() -> None:
    facts = sold(webrepl_on=None, seen={"shown_before": frozenset({"d.webrepl_on"})})
    found = of(facts, "surface.no-webrepl")
    assert (found.outcome, found.reason) == (Outcome.NOT_MET, Reason.WITHHELD)
    assert found.owed_by is Party.MAKER  # image, code and settings are the release's


def test_a_withheld_claim_that_decides_nothing_is_no_fault() -> None:
    facts = sold(ap_on=False, ap_auth=None)._replace(must_show=frozenset({"d.ap_auth"}))
    assert of(facts, "surface.no-open-ap").outcome is Outcome.MET


# --- sentences --------------------------------------------------------------------------------


def test_the_sentence_says_the_claim_and_what_it_was_compared_with() -> None:
    found = of(sold(app_digest=OTHER), "boot.firmware-known")
    assert found.because == "app image ffffffff… is no release of this model (a1a1a1a1…)"
    found = of(sold(jtag="enabled"), "surface.debug-locked")
    assert found.because.startswith("JTAG is enabled, want disabled or protected")


def test_a_long_list_is_counted_not_dumped() -> None:
    many = tuple(release(f"1.0.{n}", app_digest=f"{n:064x}") for n in range(40))
    found = of(sold(releases=many), "boot.firmware-known")
    assert "and 37 more" in found.because
    assert len(found.because) < 150


@pytest.mark.parametrize("duty", DUTIES, ids=lambda duty: duty.id)
@pytest.mark.parametrize("facts", [sold(), own_use(), sold(statement=None)], ids=["P2", "P0", "-"])
def test_every_answer_is_one_short_sentence(duty: Duty, facts: Facts) -> None:
    found = of(facts, duty.id)
    assert 10 < len(found.because) < 250
    assert not found.because.endswith(".")
    assert "\n" not in found.because
    assert "None" not in found.because
    if found.outcome in (Outcome.NOT_MET, Outcome.NOT_SHOWN):
        assert found.remedy
        assert found.owed_because


# --- assurance --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "p0", "p1", "p2"),
    [
        (("d.webrepl_on",), "software", "software", "hardware"),
        (("v.reconnects_per_h", "r.max_reconnects"), "observed", "observed", "observed"),
        (("r.release_secret_hits",), "observed", "observed", "observed"),
        (("m.vdp_url",), "declared", "declared", "declared"),
        (("d.updatable", "m.isolable"), "declared", "declared", "declared"),
        (("v.ueid_bound_to_key", "r.ueid_owners"), "observed", "hardware", "hardware"),
        (("r.key_origin", "d.nvs_enc"), "software", "software", "hardware"),
        (("d.app_digest", "v.newer_release_since", "now"), "software", "software", "observed"),
        (("r.enrolled", "r.decommissioned"), "observed", "observed", "observed"),
    ],
)
def test_assurance_is_that_of_the_weakest_source(
    names: tuple[str, ...], p0: str, p1: str, p2: str
) -> None:
    found = [assurance(names, profile) for profile in (Profile.P0, Profile.P1, Profile.P2)]
    assert found == [Assurance(p0), Assurance(p1), Assurance(p2)]


# --- who owes it ------------------------------------------------------------------------------

_OLD = release("0.9.0", app_digest="01" * 32, released=NOW - 200 * DAY)
_FIX_45 = release("1.0.0")
_FIX_10 = release("1.0.0", released=NOW - 10 * DAY)
_OLD_GONE = replace(_OLD, withdrawn=NOW - 45 * DAY)
_RUNS_OLD = {"app_digest": _OLD.app_digest}

PARTIES: dict[str, tuple[Facts, str, Party, str]] = {
    "changed in the field": (
        sold(webrepl_on=True, code_digest=OTHER),
        "surface.no-webrepl",
        Party.OPERATOR,
        "the unit differs from the signed release 1.0.0",
    ),
    "as shipped": (
        sold(webrepl_on=True),
        "surface.no-webrepl",
        Party.MAKER,
        "image, code and settings are those of the signed release 1.0.0",
    ),
    "the line's record shows it": (
        sold(jtag="enabled", code_digest=OTHER, line=("surface.debug-locked",)),
        "surface.debug-locked",
        Party.MAKER,
        "the provisioning record of the line already shows it",
    ),
    "a fix waits longer than the grace": (
        sold(releases=(_OLD, _FIX_45), **_RUNS_OLD),
        "upd.current",
        Party.OPERATOR,
        "a fixed release is out for 45 days, the grace is 30",
    ),
    "withdrawn and no fix": (
        sold(releases=(_OLD_GONE,), **_RUNS_OLD),
        "upd.not-withdrawn",
        Party.MAKER,
        "no fixed release is out",
    ),
    "withdrawn and a fix within the grace": (
        sold(releases=(_OLD_GONE, _FIX_10), **_RUNS_OLD),
        "upd.not-withdrawn",
        Party.OPERATOR,
        "",
    ),
    "firmware of nobody": (
        sold(app_digest=OTHER),
        "boot.firmware-known",
        Party.OPERATOR,
        "",
    ),
    "a secret in the release": (
        sold(releases=(release(secret_hits=1),)),
        "store.no-hardcoded",
        Party.MAKER,
        "",
    ),
    "support shortened": (
        sold(seen={"support_end_max_seen": (STATEMENT.support_end or 0) + 1}),
        "support.not-shortened",
        Party.MAKER,
        "",
    ),
}


@pytest.mark.parametrize("case", PARTIES.values(), ids=PARTIES)
def test_the_evidence_says_who_owes_it(case: tuple[Facts, str, Party, str]) -> None:
    facts, duty, party, because = case
    found = of(facts, duty)
    assert (found.outcome, found.owed_by) == (Outcome.NOT_MET, party)
    assert because in found.owed_because
    assert found.remedy == dict(BY_ID[duty].remedies)[party]


def test_nobody_owes_what_is_met() -> None:
    for found in appraise(sold(), DUTIES):
        if found.outcome in (Outcome.MET, Outcome.NOT_APPLICABLE):
            assert (found.owed_by, found.owed_because, found.remedy) == (None, "", "")


# --- until when -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "duty"),
    [
        (sold(), "attest.fresh"),
        (sold(), "support.in-force"),
        (sold(releases=(_OLD, _FIX_10), **_RUNS_OLD), "upd.current"),
    ],
    ids=["silence", "end of support", "grace"],
)
def test_the_clock_alone_flips_it_at_the_promised_instant(facts: Facts, duty: str) -> None:
    found = of(facts, duty)
    assert found.outcome is Outcome.MET
    assert found.until is not None
    before = of(facts._replace(now=found.until - 1), duty)
    after = of(facts._replace(now=found.until), duty)
    assert (before.outcome, after.outcome) == (Outcome.MET, Outcome.NOT_MET)
    assert after.until is None


def test_at_the_end_of_the_grace_the_clock_hands_over_what_a_withdrawal_says() -> None:
    facts = sold(releases=(_OLD_GONE, _FIX_10), **_RUNS_OLD)
    found = of(facts, "upd.not-withdrawn")
    assert found.until == NOW + 20 * DAY
    after = of(facts._replace(now=found.until), "upd.not-withdrawn")
    assert after.owed_because == "a fixed release is out for 30 days, the grace is 30"


# --- total ------------------------------------------------------------------------------------


def test_our_own_fault_is_an_error_and_takes_no_other_answer_with_it() -> None:
    def broken(_: Facts) -> Any:
        raise ZeroDivisionError

    duties = (replace(DUTIES[0], rule=broken), *DUTIES[1:])
    found = appraise(sold(), duties)
    assert found[0].outcome is Outcome.ERROR
    assert "our own fault" in found[0].because
    assert [each.outcome for each in found[1:]] == list(outcomes(sold()).values())[1:]


def test_a_sentence_that_cannot_be_built_takes_no_answer_with_it() -> None:
    def broken(*_: Any) -> str:
        raise ValueError

    found = appraise(sold(), (replace(DUTIES[0], because=broken),))
    assert found[0].outcome is Outcome.MET


def test_a_board_that_says_nothing_meets_nothing_that_asks_it() -> None:
    facts = sold()._replace(d=type(sold().d)(), v=Observed(), m=Statement())
    for found, duty in zip(appraise(facts, DUTIES), DUTIES, strict=True):
        if any(name.startswith(("d.", "v.", "m.")) for name in duty.names):
            assert found.outcome in (Outcome.NOT_SHOWN, Outcome.NOT_APPLICABLE), duty.id


def test_support_length_counts_from_the_unit_s_own_day() -> None:
    day = 1_828_483_200  # 2027-12-11
    short = sold()
    short = short._replace(
        u=replace(short.u, placed_on_market=day),
        m=replace(STATEMENT, support_end=day + 4 * 365 * DAY),
    )
    assert of(short, "support.length").outcome is Outcome.NOT_MET
    earlier = short._replace(u=replace(short.u, placed_on_market=PLACED))
    assert of(earlier, "support.length").outcome is Outcome.NOT_APPLICABLE
