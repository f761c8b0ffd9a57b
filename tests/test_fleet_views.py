"""What the operator asks of a fleet, over twelve boards of forged evidence and the real rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from standing import DAY, NOW, Standing, demo_fleet, release
from troth.core.duties import Outcome, Party
from troth.core.verdict import State
from troth.fleet.board import today
from troth.fleet.check import check, fails
from troth.fleet.cohorts import cohorts
from troth.fleet.courses import Course, courses
from troth.fleet.device import view_device
from troth.fleet.evidence import Match, view_evidence
from troth.fleet.turned import DAY as YESTERDAY
from troth.fleet.units import list_units
from troth.fleet.unused import unused
from troth.trouble import Trouble

FAILING = {
    "bench-01": set(),
    "bench-02": {"boot.firmware-known"},
    "cam-01": {"surface.no-webrepl", "store.no-hardcoded", "auth.no-default-password"},
    "gate-01": {"support.not-shortened"},
    "therm-01": set(),
    "therm-02": set(),
    "therm-03": {"surface.no-webrepl", "boot.files-known", "cfg.no-drift"},
    "therm-04": {"upd.current", "upd.not-withdrawn"},
    "therm-05": {"boot.files-known"},
    "therm-06": {"surface.debug-locked"},
    "therm-07": set(),
    "therm-08": {"attest.fresh"},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Standing:
    return demo_fleet(tmp_path_factory.mktemp("fleet"))


def device(fleet: Standing, name: str):
    return view_device(fleet.context, fleet.catalogue, name, now=NOW)


def test_every_board_fails_exactly_the_duties_of_its_fault(fleet: Standing) -> None:
    assert {unit.row.name: set(unit.failing) for unit in list_units(fleet.context)} == FAILING


@pytest.mark.parametrize(
    ("name", "party"),
    [("therm-03", Party.OPERATOR), ("cam-01", Party.MAKER), ("therm-06", Party.MAKER)],
)
def test_the_same_symptom_is_owed_by_whom_the_evidence_names(
    fleet: Standing, name: str, party: Party
) -> None:
    (account,) = device(fleet, name).accounts
    assert account.party is party
    assert set(account.duties) == FAILING[name]


def test_a_silent_device_is_stale_and_says_since_when(fleet: Standing) -> None:
    silent = device(fleet, "therm-08")
    assert silent.state is State.STALE
    assert "4 h ago" in silent.sentence


def test_the_sentence_names_the_count_the_day_and_the_cause(fleet: Standing) -> None:
    assert device(fleet, "therm-03").sentence.startswith("Fails 3 of ")
    assert "WebREPL" in device(fleet, "therm-03").sentence
    assert "hardware assurance" in device(fleet, "therm-01").sentence
    assert "software assurance" in device(fleet, "bench-01").sentence


def test_an_own_use_unit_says_how_it_would_fare_if_sold(fleet: Standing) -> None:
    fails_if_sold, of = device(fleet, "bench-01").if_sold
    assert of == len(fleet.catalogue.duties)
    assert 0 < fails_if_sold < of
    assert device(fleet, "therm-01").if_sold is None


def test_what_a_model_owes_is_shown_on_its_units_as_inherited(fleet: Standing) -> None:
    (proof,) = device(fleet, "gate-01").failing
    assert proof.inherited
    assert [law.clause.provision for law in proof.laws if law.binds] == ["3(6)"]


def test_a_clause_not_yet_in_force_decides_nothing(fleet: Standing) -> None:
    proofs = {proof.duty.id: proof for proof in device(fleet, "therm-03").failing}
    laws = proofs["surface.no-webrepl"].laws
    cra = next(law for law in laws if law.clause.regime == "eu-cra")
    assert not cra.binds
    assert "2027-12-11" in cra.words


def test_a_device_can_be_seen_as_of_an_earlier_moment(fleet: Standing) -> None:
    then = view_device(fleet.context, fleet.catalogue, "therm-03", now=NOW, as_of=NOW - 2 * 3600)
    assert then.state is State.COMPLIANT
    assert not then.failing
    before = view_device(fleet.context, fleet.catalogue, "therm-03", now=NOW, as_of=NOW - 2 * DAY)
    assert before.state is State.UNKNOWN
    assert "not reported" in before.sentence


def test_a_strip_has_a_part_for_each_answer_that_lasted(fleet: Standing) -> None:
    found = {
        each.duty.id: each
        for each in courses(fleet.store, fleet.catalogue, fleet.units["therm-03"].row.id, now=NOW)
    }
    turned = found["surface.no-webrepl"]
    assert turned.turned
    assert turned.strip == ((Outcome.MET, 19), (Outcome.NOT_MET, 1))
    assert found["boot.secure-boot"].strip == ((Outcome.MET, 20),)
    late = found["support.not-shortened"]
    assert [each.subject_kind for each in late.intervals] == ["model"]
    assert list(found) == [each.duty.id for each in sorted(found.values(), key=_turned_first)]


def _turned_first(course: Course) -> bool:
    return not course.turned


def test_a_device_that_nobody_knows_is_trouble_with_a_code(fleet: Standing) -> None:
    with pytest.raises(Trouble) as caught:
        device(fleet, "nobody")
    assert caught.value.code == "device.unknown"


def test_refused_messages_stand_under_their_signer_and_change_nothing(fleet: Standing) -> None:
    impostor = device(fleet, "therm-07")
    assert [row.code for row in impostor.rejections] == ["nonce.replayed", "id.mismatch"]
    assert impostor.state is State.COMPLIANT
    assert not device(fleet, "therm-01").rejections


def test_today_counts_a_models_finding_once(fleet: Standing) -> None:
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    found = {finding.duty.id: (finding.kind.value, finding.name) for finding in picture.findings}
    assert found["support.not-shortened"] == ("model", "gate-v1")
    assert found["store.no-hardcoded"] == ("release", "2.0.1 of cam-s3")
    row = next(row for row in picture.failing if row.duty.id == "support.not-shortened")
    assert row.failing == 1
    assert row.owed == (Party.MAKER,)


def test_today_says_since_when_each_row_fails(fleet: Standing) -> None:
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    since = {row.duty.id: row.since for row in picture.failing}
    assert since["surface.no-webrepl"] == NOW - 900
    assert since["support.not-shortened"] is not None
    assert all(since.values())
    assert not any(row.since for row in picture.quiet)


def test_today_leaves_a_cell_blank_where_the_duty_binds_nobody(fleet: Standing) -> None:
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    row = next(row for row in picture.failing if row.duty.id == "surface.debug-locked")
    cells = {cell.model: cell for cell in row.cells}
    assert cells["bench"].worst is None
    assert cells["therm-v2"].failing == 1
    assert row.owed == (Party.MAKER,)  # the bench boards' open JTAG binds nobody


def test_today_tells_what_is_new_who_is_silent_and_what_was_refused(fleet: Standing) -> None:
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    assert dict(picture.counts)[State.COMPLIANT] == 4
    assert [unit.name for unit in picture.silent] == ["therm-08"]
    new = {change.duty.id: [row.name for row in change.devices] for change in picture.newly}
    assert new["boot.files-known"] == ["therm-03", "therm-05"]
    assert {row.code for row in picture.rejections} == {"id.mismatch", "nonce.replayed"}


def test_today_shows_what_was_mended_since_yesterday(tmp_path) -> None:
    fleet = Standing(tmp_path)
    from standing import release

    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01", at=NOW - YESTERDAY - 3600, webrepl_on=True)
    fleet.report("bench-01", at=NOW - 60, webrepl_on=False)
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    assert "surface.no-webrepl" in [change.duty.id for change in picture.fixed]
    assert not picture.failing


def test_an_empty_fleet_has_an_empty_board(tmp_path) -> None:
    fleet = Standing(tmp_path)
    picture = today(fleet.context, fleet.catalogue, now=NOW)
    assert picture.total == 0
    assert not picture.groups


def test_the_diff_begins_with_what_differs(fleet: Standing) -> None:
    report = device(fleet, "therm-03").last_evidence
    view = view_evidence(fleet.context, fleet.catalogue, str(report.id))
    assert {row.claim for row in view.differing} == {
        "d.code_digest",
        "d.webrepl_on",
        "d.cfg_digest",
    }
    assert [row.match for row in view.claims[:3]] == [Match.DIFFERS] * 3
    code = next(row for row in view.claims if row.claim == "d.code_digest")
    assert "release 1.4.0" in code.expected
    assert code.duties == ("boot.files-known",)
    expected = {row.claim: row.expected for row in view.claims}
    assert expected["d.webrepl_on"] == "no"  # and not a whole rule beside it
    assert expected["d.listeners"] == "nothing to compare with"


def test_the_diff_of_a_healthy_board_differs_nowhere(fleet: Standing) -> None:
    report = device(fleet, "therm-01").last_evidence
    assert not view_evidence(fleet.context, fleet.catalogue, str(report.id)).differing


def test_a_report_can_be_held_against_the_one_before(fleet: Standing) -> None:
    report = device(fleet, "bench-02").last_evidence
    view = view_evidence(fleet.context, fleet.catalogue, str(report.id), against="previous")
    assert [row.claim for row in view.differing] == ["d.app_digest"]


def test_the_offline_command_names_nonce_and_instant(fleet: Standing) -> None:
    report = device(fleet, "therm-03").last_evidence
    export, command = view_evidence(fleet.context, fleet.catalogue, str(report.id)).offline
    assert export.endswith(f"--raw > evidence-{report.id}.cbor")
    assert f"evidence-{report.id}.cbor" in command
    assert "--nonce" in command
    assert "--at 2026-11-23T07:45:00Z" in command


@pytest.mark.parametrize("ref", ["999999", "x", "-1", "9" * 40, ""])
def test_evidence_that_is_not_there_is_trouble_with_a_code(fleet: Standing, ref: str) -> None:
    with pytest.raises(Trouble) as caught:
        view_evidence(fleet.context, fleet.catalogue, ref)
    assert caught.value.code == "evidence.unknown"


def test_check_tells_a_makers_breach_from_an_operators_lapse(fleet: Standing) -> None:
    rulings = {
        ruling.regime.id: ruling
        for ruling in check(fleet.context, fleet.catalogue, now=NOW).rulings
    }
    assert rulings["uk-psti"].words == "evidence of breach"
    assert {breach.duty for breach in rulings["uk-psti"].breaches} == {
        "auth.no-default-password",
        "support.not-shortened",
    }
    # therm-03's WebREPL falls short of the regime too, but on the operator's account
    red = rulings["eu-red-18031"]
    assert "surface.no-webrepl" in red.failing
    assert {breach.duty for breach in red.breaches} == {"surface.debug-locked"}
    assert rulings["eu-cra"].words == "no evidence of breach"


def test_check_counts_a_silent_unit_as_stale_not_as_met(fleet: Standing) -> None:
    result = check(fleet.context, fleet.catalogue, now=NOW, only="therm-08")
    tallies = {tally.duty.id: tally for tally in result.tallies}
    assert tallies["surface.no-webrepl"].stale == 1
    assert not tallies["surface.no-webrepl"].outcomes
    assert tallies["attest.fresh"].failing == ("therm-08",)


@pytest.mark.parametrize(
    ("only", "fail_on", "state"),
    [
        ("therm-01", "any", State.COMPLIANT),
        ("therm-05", "any", State.NON_COMPLIANT),
        ("therm-05", "critical", State.COMPLIANT),  # boot.files-known is high
        ("therm-03", "critical", State.NON_COMPLIANT),
        ("therm-08", "any", State.UNKNOWN),
        ("therm-08", "critical", State.UNKNOWN),
        ("therm-08", "stale", State.NON_COMPLIANT),
    ],
)
def test_check_ends_as_it_was_asked_to(
    fleet: Standing, only: str, fail_on: str, state: State
) -> None:
    result = check(fleet.context, fleet.catalogue, now=NOW, only=only)
    assert fails(result, fail_on) is state


def test_a_bench_board_without_a_statement_does_not_answer_for_other_makers(
    fleet: Standing,
) -> None:
    proofs = {proof.duty.id: proof for proof in device(fleet, "therm-01").proofs}
    assert proofs["vuln.policy"].said.outcome is Outcome.MET
    bench = {proof.duty.id: proof for proof in device(fleet, "bench-01").proofs}
    assert bench["vuln.policy"].said.outcome is Outcome.NOT_SHOWN


def test_what_nobody_uses_is_told(tmp_path: Path) -> None:
    fleet = demo_fleet(tmp_path)
    fleet.add_release(release("therm-v2", "esp32c6", "9.9.9", days_ago=1))
    fleet.store.add_baseline("model", "therm-v2", "ab" * 32, b"signed", at=NOW)
    fleet.context.refresh()
    found = cohorts(fleet.context, fleet.catalogue)
    left = unused(fleet.context, fleet.catalogue, found, now=NOW)
    assert "9.9.9 of therm-v2 (esp32c6)" in left.releases
    assert "1.4.0 of therm-v2 (esp32c3)" not in left.releases
    assert left.approvals == ("ab" * 32,)
    answers = [told.said for each in found for told in each.answers.values()]
    assert left.duties
    for said in answers:
        assert (said.outcome is Outcome.NOT_APPLICABLE) or said.duty not in left.duties
