"""From one regime to another through the duties, and what each regime's provisions come to."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from troth.catalogue import load
from troth.catalogue.coverage import coverage
from troth.catalogue.crosswalk import crosswalk, demands, global_minimum
from troth.cli import root
from troth.trouble import Trouble

LOADED = load()
REGIMES = {regime.id: regime for regime in LOADED.catalogue.regimes}


def run(*words: str) -> str:
    return CliRunner().invoke(root, ["regime", *words], catch_exceptions=False).output


def document(*words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(*words, "--json"))
    return found


def test_five_duties_are_asked_wherever_a_consumer_product_is_sold() -> None:
    assert {duty.id for duty, _ in global_minimum(LOADED.catalogue)} == {
        *("auth.no-default-password", "vuln.policy", "support.published"),
        *("upd.mechanism", "doc.statement"),
    }


def test_a_step_leads_through_the_duty_that_both_regimes_cite() -> None:
    steps = crosswalk(REGIMES["uk-psti"], REGIMES["eu-cra"])
    found = {(s.provision, s.duty): {c.provision for c in s.others if c.decides} for s in steps}
    assert found["1(2)", "auth.no-default-password"] == {"I.I.2(d)"}
    assert found["3(2)", "support.published"] == {"13(19)", "II.7"}
    assert not next(s for s in steps if s.duty == "cfg.market").strong


def test_the_way_back_has_the_same_duties() -> None:
    there = crosswalk(REGIMES["uk-psti"], REGIMES["etsi-303645-v313"])
    back = crosswalk(REGIMES["etsi-303645-v313"], REGIMES["uk-psti"])
    assert {step.duty for step in there} == {step.duty for step in back}


@pytest.mark.parametrize(
    ("duty", "regime", "provision"),
    [
        ("support.length", "eu-cra", "13(8)"),
        ("support.not-shortened", "uk-psti", "3(6)"),
        ("auth.no-default-password", "uk-psti", "1(2)"),
        ("boot.secure-boot", "eu-cra", "I.I.2(f)"),
    ],
)
def test_the_strictest_is_the_law_that_decides_it(duty: str, regime: str, provision: str) -> None:
    first = demands(LOADED.catalogue, next(d for d in LOADED.catalogue.duties if d.id == duty))[0]
    assert (first.regime.id, first.clause.provision) == (regime, provision)


@pytest.mark.parametrize(
    ("regime", "decided", "supported", "uncovered"),
    [
        ("etsi-303645-v313", 26, 49, 3),
        ("eu-cra", 23, 27, 1),
        ("uk-psti", 7, 4, 2),
    ],
)
def test_coverage_counts_decided_and_supported_apart(
    regime: str, decided: int, supported: int, uncovered: int
) -> None:
    found = coverage(REGIMES[regime], LOADED.provisions[regime])
    sizes = (len(found.decided), len(found.supported), len(found.uncovered))
    assert sizes == (decided, supported, uncovered)
    assert found.total == len(LOADED.provisions[regime].marks)


def test_show_prints_coverage_and_the_reasons() -> None:
    said = run("show", "etsi-303645-v313")
    assert "78 provisions: 26 decided, 49 supported, 3 answered by no duty" in said
    assert "how the firmware is built and what the hardware offers" in said
    assert document("show", "uk-psti")["counts"] == {
        "provisions": 13,
        "decided": 7,
        "supported": 4,
        "uncovered": 2,
    }


def test_each_view_is_a_document() -> None:
    assert len(document("list")["regimes"]) == len(REGIMES)  # type: ignore[arg-type]
    for words in (["eu-cra", "uk-psti"], ["--global-minimum"], ["--strictest", "vuln.policy"]):
        assert document("map", *words)["schema"] == "troth/regime-map/1"
        assert run("map", *words)


def test_the_baseline_and_a_stranger() -> None:
    assert "duties   attest.alg-approved" in run("show", "troth-baseline")
    with pytest.raises(Trouble, match="no regime"):
        CliRunner().invoke(root, ["regime", "show", "eu-xyz"], catch_exceptions=False)
