"""Which regimes bind which unit, on which day, with which lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from honest import NOW, own_use, sold
from troth.catalogue import bundled
from troth.core.device import Registration
from troth.core.duties import Status
from troth.core.verdict import DutySet, Regime, decides, duty_set, judge, next_change

CATALOGUE = bundled()
REGIMES = {regime.id: regime for regime in CATALOGUE.regimes}
BASELINE = {duty.id for duty in CATALOGUE.duties if duty.baseline}
EU, UK, OWN = sold("eu").u, sold("uk").u, own_use().u
VIEWS = {
    *("etsi-303645-v313", "nl-csr-2017", "us-nist-8425", "jp-jcstar-1", "iec-62443-4-2"),
    *("sg-cls-l1", "sg-cls-l2", "sg-cls-l3", "sg-cls-l4", "eu-pld-2024-2853", "eu-nis2"),
}
PSTI = {
    "auth.no-default-password",
    "auth.password-not-derivable",
    "doc.statement",
    "doc.statement-complete",
    "support.not-shortened",
    "support.published",
    "vuln.policy",
}


REPORTING = {"vuln.exploited-clock", "vuln.incident-clock"}  # CRA 14, whoever is old or new


def day(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def chosen(unit: Registration, now: int = NOW) -> DutySet:
    return duty_set(CATALOGUE, unit, now)


def placed(unit: Registration, text: str) -> Registration:
    return replace(unit, placed_on_market=day(text))


def of(regime: str) -> set[str]:
    """What decides a line that counts whatever the product is."""
    lines = REGIMES[regime].lines
    return {line.duty for line in lines if decides(line) and not line.clause.traits}


def test_these_regimes_come_with_troth() -> None:
    binding = {name for name, regime in REGIMES.items() if regime.binding}
    acts = {"uk-psti", "eu-red-18031", "eu-cra", "au-rules-2025", "us-ca-sb327"}
    assert binding == {"troth-baseline", *acts}
    assert REGIMES.keys() - binding == VIEWS


def test_a_unit_of_one_s_own_has_the_baseline_alone() -> None:
    found = chosen(OWN)
    assert found.regimes == ("troth-baseline",)
    assert found.mandatory == BASELINE
    assert found.upcoming == ()


def test_a_unit_sold_in_the_uk_has_psti_beside_the_baseline() -> None:
    found = chosen(UK)
    assert found.regimes == ("troth-baseline", "uk-psti")
    assert found.mandatory == BASELINE | PSTI
    assert found.upcoming == ()


def test_a_unit_sold_in_the_eu_has_the_radio_equipment_act_beside_the_baseline() -> None:
    found = chosen(EU)
    assert found.regimes == ("eu-cra", "eu-red-18031", "troth-baseline")
    assert found.mandatory == BASELINE | of("eu-red-18031") | REPORTING
    assert {"surface.debug-locked", "auth.no-default-password"} <= found.mandatory
    # recommended, conditional or only supported: never part of it today
    assert not {"boot.secure-boot", "store.flash-encrypted", "comm.wifi-secure"} & found.mandatory


@pytest.mark.parametrize(
    ("unit", "now", "regime", "binds"),
    [
        (placed(UK, "2024-04-28"), NOW, "uk-psti", False),
        (placed(UK, "2024-04-29"), NOW, "uk-psti", True),
        (replace(UK, product_class="industrial"), NOW, "uk-psti", False),
        (replace(UK, market="us"), NOW, "uk-psti", False),
        (replace(UK, placed_on_market=None), NOW, "uk-psti", False),
        (placed(EU, "2025-07-31"), NOW, "eu-red-18031", False),
        (placed(EU, "2025-08-01"), NOW, "eu-red-18031", True),
        (placed(EU, "2027-12-10"), day("2028-06-01"), "eu-red-18031", True),
        (placed(EU, "2027-12-11"), day("2028-06-01"), "eu-red-18031", False),
        (placed(replace(UK, market="au"), "2026-03-03"), NOW, "au-rules-2025", False),
        (placed(replace(UK, market="au"), "2026-03-04"), NOW, "au-rules-2025", True),
        (replace(UK, market="us-ca"), NOW, "us-ca-sb327", True),
        (EU, day("2026-09-10"), "eu-cra", False),
        (EU, day("2026-09-11"), "eu-cra", True),
    ],
)
def test_a_regime_binds_by_class_market_and_the_unit_s_own_day(
    unit: Registration, now: int, regime: str, binds: bool
) -> None:
    found = chosen(unit, now)
    assert (regime in found.regimes) is binds
    if not binds:
        others = BASELINE | set().union(*(of(name) for name in found.regimes))
        assert found.mandatory <= others


def test_the_cra_is_upcoming_and_says_that_it_will_not_flip_this_unit() -> None:
    upcoming = [each for each in chosen(EU).upcoming if each.regime == "eu-cra"]
    assert {each.since for each in upcoming} == {day("2027-12-11")}
    assert {"surface.debug-locked", "support.length"} <= {each.duty for each in upcoming}
    assert all("substantially modified" in each.condition for each in upcoming)
    before, after = chosen(EU), chosen(EU, day("2027-12-11"))
    assert before.mandatory == after.mandatory
    assert after.upcoming == ()


def test_the_cra_binds_a_unit_placed_from_its_day_on() -> None:
    unit = placed(EU, "2027-12-11")
    before, after = chosen(unit, day("2027-12-10")), chosen(unit, day("2027-12-11"))
    assert all(each.condition == "" for each in before.upcoming)
    assert "support.length" not in before.mandatory
    assert {"support.length", "support.published", "vuln.policy"} <= after.mandatory
    assert after.mandatory == BASELINE | of("eu-cra")


def test_reporting_under_the_cra_binds_whenever_a_unit_was_placed() -> None:
    dates = {line.clause.provision: line for line in REGIMES["eu-cra"].lines}
    assert dates["13(8)"].placed_from == day("2027-12-11")
    assert (dates["14(1)"].since, dates["14(1)"].placed_from) == (day("2026-09-11"), None)
    assert dates["I.I.2(j)"].since == day("2027-12-11")
    assert all(line.since for line in dates.values())


def test_the_clock_turns_the_duty_set_at_the_promised_instant() -> None:
    now = day("2026-09-10")
    assert next_change(CATALOGUE, EU, now) == day("2026-09-11")
    assert next_change(CATALOGUE, EU, day("2026-09-11")) == day("2027-12-11")
    assert next_change(CATALOGUE, UK, NOW) is None
    assert judge(sold("eu"), CATALOGUE).until is not None


def test_a_line_says_its_provision_version_and_weight() -> None:
    for regime in CATALOGUE.regimes:
        assert regime.lines
        for line in regime.lines:
            clause = line.clause
            assert clause.regime == regime.id
            assert clause.version == regime.version
            assert clause.provision or regime.id == "troth-baseline"
            assert clause.condition or clause.status is not Status.CONDITIONAL


def test_a_view_never_enters_a_duty_set() -> None:
    for view in VIEWS:
        regime: Regime = REGIMES[view]
        assert regime.lines
        for unit in (EU, UK, OWN):
            assert view not in chosen(unit).regimes


def test_a_unit_sold_in_australia_owes_the_three_rules() -> None:
    found = chosen(placed(replace(UK, market="au"), "2026-03-04"))
    wanted = {"auth.no-default-password", "support.published", "vuln.policy"}
    assert found.mandatory == BASELINE | wanted


def test_a_level_of_the_label_holds_the_levels_below_it() -> None:
    below = {line.duty for line in REGIMES["sg-cls-l1"].lines}
    for level in ("sg-cls-l2", "sg-cls-l3", "sg-cls-l4"):
        assert below <= {line.duty for line in REGIMES[level].lines}


def test_what_no_act_asks_of_an_operator_is_informative_to_him() -> None:
    nis2 = [line.duty for line in REGIMES["eu-nis2"].lines]
    assert {"ident.enrolled", "upd.current"} <= set(nis2)
    assert not any(decides(line) for line in REGIMES["eu-nis2"].lines)


def test_the_digest_names_the_set_not_the_unit() -> None:
    assert chosen(EU).digest == chosen(replace(EU, device="another")).digest
    assert len({chosen(unit).digest for unit in (EU, UK, OWN)}) == 3
    other = duty_set(replace(CATALOGUE, digest="another text"), EU, NOW)
    assert other.digest == chosen(EU).digest
    assert other.catalogue != chosen(EU).catalogue


@pytest.mark.parametrize("unit", [EU, UK, OWN], ids=["eu", "uk", "own"])
def test_no_duty_is_upcoming_and_mandatory_under_one_provision(unit: Registration) -> None:
    found = chosen(unit)
    for each in found.upcoming:
        assert each.since > NOW
        assert each.regime in found.regimes or each.condition == ""
