"""Lines that count only for some: what a product is, when it was changed, how fresh a feed is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from honest import NOW, sold
from troth.catalogue import bundled, load
from troth.catalogue.loader import HERE
from troth.core.device import TRAITS, Registration
from troth.core.duties import Clause, Outcome, Severity, Status
from troth.core.reference import Statement
from troth.core.verdict import Catalogue, Force, Line, Regime, duty_set, force, judge
from troth.fleet.words import day
from troth.trouble import Trouble

CATALOGUE = bundled()
UNIT = sold().u
REGIME = next(regime for regime in CATALOGUE.regimes if regime.id == "eu-red-18031")
CRA = next(regime for regime in CATALOGUE.regimes if regime.id == "eu-cra")
DUTY = "cfg.market"  # of low severity: its silence matters to nobody


def line(**changes: object) -> Line:
    clause = Clause(REGIME.id, "X-1", True, Status.CONDITIONAL, condition="for some")
    return Line(DUTY, replace(clause, **changes))


def with_line(extra: Line, regime: Regime = REGIME) -> Catalogue:
    others = tuple(each for each in CATALOGUE.regimes if each.id != regime.id)
    return replace(CATALOGUE, regimes=(*others, replace(regime, lines=(extra,))))


def binds(catalogue: Catalogue, unit: Registration) -> bool:
    return DUTY in duty_set(catalogue, unit, NOW).mandatory


def test_a_conditional_line_counts_for_a_product_that_is_known_to_be_such() -> None:
    extra = line(traits=frozenset({"money", "children"}))
    assert not binds(with_line(extra), UNIT)
    assert not binds(with_line(extra), replace(UNIT, traits=frozenset({"traffic-data"})))
    assert binds(with_line(extra), replace(UNIT, traits=frozenset({"money"})))


def test_a_condition_that_nobody_is_known_to_fulfil_is_shown_and_makes_no_breach() -> None:
    extra = line(traits=frozenset({"money"}))
    assert force(extra, REGIME, UNIT, NOW) is Force.SUPPORTS
    rich = replace(UNIT, traits=frozenset({"money"}))
    assert force(extra, REGIME, rich, NOW) is Force.BINDS


def test_a_conditional_line_without_traits_never_counts() -> None:
    assert not binds(with_line(line()), replace(UNIT, traits=frozenset({"money"})))


@pytest.mark.parametrize("severity", [None, Severity.CRITICAL])
def test_a_line_may_weigh_more_than_its_duty(severity: Severity | None) -> None:
    extra = line(status=Status.MANDATORY, severity=severity)
    chosen = duty_set(with_line(extra), UNIT, NOW)
    assert DUTY in chosen.mandatory
    assert (DUTY in chosen.grave) is (severity is not None)


def test_a_unit_from_before_the_day_is_reached_by_a_substantial_modification() -> None:
    start = next(each.placed_from for each in CRA.lines if each.placed_from)
    assert start is not None
    later, before = start + 86_400, {d.duty for d in duty_set(CATALOGUE, UNIT, start).upcoming}
    assert "eu-cra" in duty_set(CATALOGUE, UNIT, later).regimes
    old = duty_set(CATALOGUE, UNIT, later).mandatory
    new = duty_set(CATALOGUE, replace(UNIT, modified=later), later).mandatory
    assert "support.length" not in old | before
    assert "support.length" in new
    earlier = replace(UNIT, modified=start - 1)
    assert duty_set(CATALOGUE, earlier, later).mandatory == old


def test_what_will_bind_says_that_a_modification_is_what_it_takes() -> None:
    told = [each for each in duty_set(CATALOGUE, UNIT, NOW).upcoming if each.regime == "eu-cra"]
    assert {each.condition for each in told if each.since > NOW + 86_400 * 300} == {
        "binds units placed from that day, this one only if substantially modified"
    }


# --- freshness --------------------------------------------------------------------------------

STALE = """\
id: demo.feed
title: {en: No open flaw, nl: Geen open lek}
rationale: a feed of last year knows nothing of this year's flaws
severity: high
party: operator
subject: release
needs: P0
baseline: false
fresh: 'now - v.vuln_feed_at < r.max_feed_age'
ok: 'v.vulns_open.size() == 0'
turns: 'v.vuln_feed_at + r.max_feed_age'
because: {met: none, not-met: 'open: {v.vulns_open}', not-shown: 'the feed is of {v.vuln_feed_at}'}
remedies: {operator: update}
tests:
  - given: {now: 50, v.vuln_feed_at: 0, r.max_feed_age: 100, v.vulns_open: []}
    expect: met
  - given: {now: 50, v.vuln_feed_at: 0, r.max_feed_age: 100, v.vulns_open: [a]}
    expect: not-met
  - given: {now: 100, v.vuln_feed_at: 0, r.max_feed_age: 100, v.vulns_open: []}
    expect: not-shown
"""


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    pack = tmp_path_factory.mktemp("pack")
    (pack / "duties").mkdir()
    (pack / "duties" / "demo.feed.yaml").write_text(STALE)
    return load(HERE, [pack]).catalogue


def test_an_old_feed_says_nothing_and_says_how_old_it_is(fed: Catalogue) -> None:
    facts = sold()
    feeds = replace(facts.f, vuln_feed_at=NOW - 8 * 86_400, vulns_open=())
    said = {each.duty: each for each in judge(facts._replace(f=feeds), fed).appraisals}["demo.feed"]
    assert said.outcome is Outcome.NOT_SHOWN
    assert said.reason == "no-feed"
    assert said.because == f"the feed is of {day(NOW - 8 * 86_400)}"


def test_no_feed_at_all_is_told_apart_from_an_old_one(fed: Catalogue) -> None:
    said = {each.duty: each for each in judge(sold(), fed).appraisals}["demo.feed"]
    assert said.outcome is Outcome.NOT_SHOWN
    assert said.because.startswith("the verifier has no record yet of the open vuln")


def test_a_feed_goes_stale_by_the_clock_alone(fed: Catalogue) -> None:
    facts = sold()
    facts = facts._replace(f=replace(facts.f, vuln_feed_at=NOW, vulns_open=()))
    said = {each.duty: each for each in judge(facts, fed).appraisals}["demo.feed"]
    assert said.outcome is Outcome.MET
    assert facts.r.max_feed_age is not None
    assert said.until == NOW + facts.r.max_feed_age


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("status: mandatory, traits: [money]", "traits are for a conditional line"),
        ("status: conditional, condition: x, traits: [rich]", "traits wants some of"),
        ("status: mandatory, severity: dire", "severity wants one of"),
        ("status: mandatory, weight: 3", "no field named weight"),
    ],
)
def test_a_condition_is_read_word_by_word(
    tmp_path_factory: pytest.TempPathFactory, reference: str, says: str
) -> None:
    pack = tmp_path_factory.mktemp("pack")
    (pack / "duties").mkdir()
    head = "regime: eu-nis2, version: Directive (EU) 2022/2555, confidence: low"
    line = f"  - {{{head}, {reference}, supports: [x]}}"
    text = STALE.replace("tests:\n", f"references:\n{line}\ntests:\n")
    (pack / "duties" / "demo.feed.yaml").write_text(text)
    with pytest.raises(Trouble, match=says):
        load(HERE, [pack])


def test_what_a_product_is_its_maker_declares() -> None:
    said = Statement(personal_data=True, money=False, location_declared=True)
    assert said.traits == {"personal-data", "location-data"}
    every = Statement(
        personal_data=True,
        traffic_data=True,
        location_declared=True,
        children=True,
        money=True,
        network_equipment=True,
    )
    assert every.traits == set(TRAITS)


@pytest.mark.parametrize(
    ("trait", "duty", "provision"),
    [
        ("money", "boot.secure-boot", "GEC-8"),
        ("personal-data", "data.erase", "DLM-1"),
        ("children", "data.sensors-declared", "GEC-7"),
    ],
)
def test_parts_two_and_three_of_en_18031_are_for_those_products(
    trait: str, duty: str, provision: str
) -> None:
    found = [
        each for each in REGIME.lines if (each.duty, each.clause.provision) == (duty, provision)
    ]
    (one,) = found
    assert force(one, REGIME, UNIT, NOW) is Force.SUPPORTS
    such = replace(UNIT, traits=frozenset({trait}))
    assert force(one, REGIME, such, NOW) is Force.BINDS
    assert (
        duty in duty_set(CATALOGUE, such, NOW).mandatory - duty_set(CATALOGUE, UNIT, NOW).mandatory
    )
