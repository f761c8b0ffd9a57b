"""Waivers: who, why and until when; judged all the same, and over by the clock alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from house import ear_key
from standing import DAY, NOW, Standing, release
from troth.core.duties import Outcome, Party
from troth.core.reference import Policy
from troth.core.verdict import State, judge
from troth.core.waiver import LONGEST, Scope, Waiver, covered, grace
from troth.factory import waiver
from troth.factory.baseline import Approver
from troth.factory.signed import open_record
from troth.fleet import clock
from troth.fleet.check import check
from troth.fleet.context import Context
from troth.fleet.judging import Judge
from troth.trouble import Trouble

KEY = ear_key()
SHORT = "surface.no-webrepl"


def by(name: str = "ann", *, at: int = NOW) -> Approver:
    return Approver(name, KEY, KEY.public_key(), at)


def wish(**changes: object) -> waiver.Wish:
    asked = waiver.Wish(
        duty=SHORT,
        scope=Scope.DEVICE,
        subject="bench-01",
        justification="the technician needs it this week",
        ticket="OPS-7",
        requested_by="bob",
        party=Party.OPERATOR,
        compensating="its own network",
        expires=NOW + DAY,
    )
    return replace(asked, **changes)


@pytest.fixture
def fleet(tmp_path: Path) -> Standing:
    fleet = Standing(tmp_path)
    fleet.policy = replace(fleet.policy, max_evidence_age=30 * DAY)
    fleet.context = Context(fleet.store, fleet.policy)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.enrol("bench-02", "bench", "esp32", "0.1.0")
    for name in fleet.units:
        fleet.report(name, webrepl_on=True)
    return fleet


def approve(fleet: Standing, **changes: object) -> Waiver:
    made = waiver.approve(fleet.store, fleet.catalogue, fleet.policy, wish(**changes), by())
    clock.advance(fleet.context, fleet.judge, now=NOW, everyone=True)
    return made


def outcome(fleet: Standing, name: str, duty: str = SHORT, **when: int) -> Outcome:
    rows = fleet.store.intervals(fleet.units[name].row.id, **when)
    return next(row.appraisal.outcome for row in rows if row.appraisal.duty == duty)


def state(fleet: Standing, name: str) -> State:
    found = fleet.store.state(fleet.units[name].row.id)
    assert found is not None
    return found.state


def test_a_waived_duty_is_shown_as_waived_with_who_why_and_until(fleet: Standing) -> None:
    approve(fleet)
    rows = fleet.store.intervals(fleet.units["bench-01"].row.id)
    said = next(row.appraisal for row in rows if row.appraisal.duty == SHORT)
    assert said.outcome is Outcome.WAIVED
    assert said.because.startswith("waived until 2026-11-24 08:00Z by ann (OPS-7): the technician")
    assert said.until is not None
    assert said.until <= NOW + DAY
    assert outcome(fleet, "bench-02") is Outcome.NOT_MET  # it is for one unit


def test_it_fails_again_at_its_end_by_the_clock_alone_and_leaves_an_event(fleet: Standing) -> None:
    made = approve(fleet)
    assert clock.advance(fleet.context, fleet.judge, now=NOW + DAY - 1) == 0
    assert clock.advance(fleet.context, fleet.judge, now=NOW + DAY + 500) == 1
    assert outcome(fleet, "bench-01") is Outcome.NOT_MET
    assert outcome(fleet, "bench-01", as_of=NOW + DAY) is Outcome.NOT_MET  # from its very end
    assert outcome(fleet, "bench-01", as_of=NOW + DAY - 1) is Outcome.WAIVED
    leaves = [row for row in fleet.store.audit() if row.at == NOW + DAY + 500]
    assert {row.action for row in leaves} == {"waiver.expired", "verdict.turned"}
    assert fleet.store.waiver(made.id[:8]).end.how == "expired"
    assert fleet.store.audit_breaks() == ()


def test_a_revoked_waiver_counts_no_more_and_is_kept(fleet: Standing) -> None:
    made = approve(fleet)
    waiver.revoke(fleet.store, made.id[:6], "done", by("eve", at=NOW + 60))
    clock.advance(fleet.context, fleet.judge, now=NOW + 60, everyone=True)
    assert outcome(fleet, "bench-01") is Outcome.NOT_MET
    assert fleet.store.waiver(made.id).end.by == "eve"
    with pytest.raises(Trouble, match="ended before"):
        waiver.revoke(fleet.store, made.id, "again", by())


def test_a_report_that_comes_meanwhile_is_judged_and_waived_too(fleet: Standing) -> None:
    approve(fleet)
    fleet.report("bench-01", at=NOW + 100)
    assert outcome(fleet, "bench-01") is Outcome.WAIVED
    fleet.report("bench-01", at=NOW + 200, webrepl_on=False)
    assert outcome(fleet, "bench-01") is Outcome.MET
    fleet.report("bench-01", at=NOW + DAY + 1, webrepl_on=True)
    assert outcome(fleet, "bench-01") is Outcome.NOT_MET


def test_the_state_is_waived_only_when_nothing_else_falls_short(fleet: Standing) -> None:
    verdict = judge(facts(fleet, "bench-01"), fleet.catalogue)
    short = {
        each.duty
        for each in verdict.appraisals
        if each.duty in verdict.duty_set.mandatory
        and each.outcome in (Outcome.NOT_MET, Outcome.NOT_SHOWN)
    }
    assert SHORT in short
    assert state(fleet, "bench-01") is State.NON_COMPLIANT
    for duty in sorted(short):
        approve(fleet, duty=duty, scope=Scope.ALL, subject="")
    assert state(fleet, "bench-01") is State.WAIVED


def facts(fleet: Standing, name: str, now: int = NOW):
    fleet.context.refresh()
    found = fleet.context.standing_facts(fleet.units[name].row.id, now=now)
    assert found is not None
    return found


def test_the_judge_with_a_memory_agrees_with_the_one_without(fleet: Standing) -> None:
    approve(fleet)
    remembering = Judge(fleet.catalogue)
    for now in (NOW, NOW + 1, NOW + DAY - 1, NOW + DAY, NOW + DAY + 1):
        one, two = (
            each(facts(fleet, "bench-01", now))
            for each in (remembering.judge, lambda given: judge(given, fleet.catalogue))
        )
        outcomes = [[said.outcome for said in verdict.appraisals] for verdict in (one, two)]
        assert (one.state, one.until, outcomes[0]) == (two.state, two.until, outcomes[1])


def test_without_waivers_the_very_same_answers_are_given(fleet: Standing) -> None:
    given = facts(fleet, "bench-01")
    said = judge(given, fleet.catalogue).appraisals
    assert covered(given, fleet.catalogue.duties, said) is said


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"duty": "no.such"}, "duty.unknown"),
        ({"subject": "nobody"}, "device.unknown"),
        ({"scope": Scope.TAG, "subject": "lab"}, "waiver.selector"),
        ({"duty": "vuln.policy"}, "waiver.selector"),
        ({"expires": NOW}, "waiver.expiry"),
        ({"expires": NOW + LONGEST + 1}, "waiver.expiry"),
        ({"justification": " "}, "waiver.text"),
        ({"ticket": "a\x1bb"}, "waiver.text"),
        ({"ticket": "t" * 65}, "waiver.text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_waiver_is_refused(
    fleet: Standing, changes: dict[str, object], code: str
) -> None:
    with pytest.raises(Trouble) as caught:
        approve(fleet, **changes)
    assert caught.value.code == code
    assert fleet.store.waivers() == ()


def test_with_four_eyes_nobody_approves_his_own_request(fleet: Standing) -> None:
    policy = Policy(waiver_four_eyes=True)
    with pytest.raises(Trouble) as caught:
        waiver.approve(fleet.store, fleet.catalogue, policy, wish(requested_by="Ann "), by("ann"))
    assert caught.value.code == "waiver.four-eyes"
    waiver.approve(fleet.store, fleet.catalogue, policy, wish(), by("ann"))


def critical_of_maker(fleet: Standing) -> str:
    return next(
        duty.id
        for duty in fleet.catalogue.duties
        if duty.severity == "critical" and duty.party is Party.MAKER and duty.subject == "unit"
    )


def test_a_maker_cannot_waive_his_own_critical_duty(fleet: Standing) -> None:
    duty = critical_of_maker(fleet)
    with pytest.raises(Trouble) as caught:
        approve(fleet, duty=duty, party=Party.MAKER)
    assert caught.value.code == "waiver.own-duty"
    approve(fleet, duty=duty, party=Party.OPERATOR)


def test_nor_one_that_turns_out_to_be_his(fleet: Standing) -> None:
    given = facts(fleet, "bench-01")
    duty = next(each for each in fleet.catalogue.duties if each.id == SHORT)
    critical = replace(duty, severity=type(duty.severity)("critical"))
    made = Waiver("1", SHORT, Scope.ALL, "", "x", "t", "a", "b", Party.MAKER, "", NOW, NOW + 9)
    said = next(e for e in judge(given, fleet.catalogue).appraisals if e.duty == SHORT)
    for owes, found in ((Party.MAKER, Outcome.NOT_MET), (Party.OPERATOR, Outcome.WAIVED)):
        answers = covered(
            given._replace(waivers=(made,)), (critical,), (replace(said, owed_by=owes),)
        )
        assert answers[0].outcome is found


def test_the_record_is_signed_and_never_overwritten(fleet: Standing) -> None:
    made = approve(fleet)
    row = fleet.store.waiver(made.id)
    assert open_record(row.record, "waiver", KEY.public_key())["approved_by"] == "ann"
    with pytest.raises(Trouble, match="refused"):
        open_record(row.record, "waiver", ear_key(8).public_key())
    with pytest.raises(Exception, match="never overwritten"):
        fleet.store._write(
            lambda conn: conn.exec_driver_sql("UPDATE waivers SET expires = expires + 1")
        )


def test_a_new_unit_has_its_grace_and_what_is_critical_has_none(fleet: Standing) -> None:
    created = fleet.units["bench-01"].row.created
    hours = (NOW - created) // 3600 + 1
    policy = replace(fleet.policy, grace_after_enrolment=hours * 3600)
    context = Context(fleet.store, policy)
    context.refresh()
    device = fleet.units["bench-01"].row.id
    given = context.standing_facts(device, now=NOW)
    assert given is not None
    verdict = judge(given, fleet.catalogue)
    severity = {duty.id: duty.severity for duty in fleet.catalogue.duties}
    assert any(each.outcome is Outcome.WAIVED for each in verdict.appraisals)
    for each in verdict.appraisals:
        if each.outcome is Outcome.NOT_MET:
            assert severity[each.duty] == "critical" or each.subject != "unit"
    later = context.standing_facts(device, now=created + hours * 3600)
    assert later is not None
    after = judge(later, fleet.catalogue)
    assert all(each.outcome is not Outcome.WAIVED for each in after.appraisals)
    assert grace(given.u, 0) is None


def test_check_counts_it_and_says_that_the_law_lets_nothing_rest(fleet: Standing) -> None:
    approve(fleet, scope=Scope.ALL, subject="")
    found = check(fleet.context, fleet.catalogue, now=NOW)
    tally = next(each for each in found.tallies if each.duty.id == SHORT)
    assert (tally.of(Outcome.WAIVED), tally.failing) == (2, ())
    baseline = next(each for each in found.rulings if each.regime.id == "troth-baseline")
    assert SHORT in baseline.waived


def test_the_command_line_adds_lists_shows_and_revokes(tmp_path: Path) -> None:
    from troth.cli import root

    def run(*words: str) -> dict[str, object]:
        done = CliRunner().invoke(
            root, ["--home", str(tmp_path), *words, "--json"], catch_exceptions=False
        )
        said = json.loads(done.stdout)
        assert isinstance(said, dict)
        return said

    CliRunner().invoke(root, ["init", str(tmp_path)], catch_exceptions=False)
    fleet = Standing(tmp_path)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01", webrepl_on=True)
    fleet.store.close()
    import time
    from datetime import UTC, datetime

    end = datetime.fromtimestamp(time.time() + 30 * DAY, UTC).strftime("%Y-%m-%d")
    words = ("--because", "a reason", "--ticket", "T-1", "--expires", end)
    made = run("waiver", "add", SHORT, "--device", "bench-01", *words)
    assert made["schema"] == "troth/waivers/1"
    ident = made["waivers"][0]["id"]
    assert [each["id"] for each in run("waiver", "list")["waivers"]] == [ident]
    assert run("waiver", "show", ident[:8])["waivers"][0]["status"] == "in force"
    shown = run("device", "show", "bench-01")["duties"]
    assert next(each for each in shown if each["duty"] == SHORT)["outcome"] == "waived"
    ended = run("waiver", "revoke", ident[:8], "--because", "done")
    assert ended["waivers"][0]["status"] == "revoked"
    assert run("waiver", "list")["waivers"] == []
    assert len(run("waiver", "list", "--every")["waivers"]) == 1
    assert run("waiver", "list", "--every", "--as-of", "2026-01-01")["waivers"] == []


def test_a_changed_policy_judges_everybody_again_and_an_unchanged_one_does_not(
    tmp_path: Path,
) -> None:
    from troth.cli import root

    CliRunner().invoke(root, ["init", str(tmp_path)], catch_exceptions=False)
    fleet = Standing(tmp_path)
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01")
    fleet.store.close()

    def check_again() -> str:
        words = ["--home", str(tmp_path), "check", "--json"]
        return CliRunner().invoke(root, words, catch_exceptions=False).stderr

    assert check_again() == ""  # the first time says nothing
    assert check_again() == ""
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text().replace("fix_grace_days = 30", "fix_grace_days = 3"))
    assert "judged again" in check_again()
    assert check_again() == ""
