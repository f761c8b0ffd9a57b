"""The clocks of Article 14: each deadline to the second, and what is late stays late."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from standing import DAY, NOW, Standing, release
from troth.core.duties import Outcome
from troth.core.feeds import NEVER
from troth.core.incident import (
    IN_FORCE,
    Incident,
    Kind,
    Step,
    a_month_after,
    filings,
    late,
    next_due,
    owed,
)
from troth.core.verdict import judge
from troth.fleet import bundle, clock, proof
from troth.fleet.forecast import Cause, forecast
from troth.fleet.words import iso
from troth.store import IncidentRow, StepRow
from troth.trouble import Trouble

HOUR = 3600


def incident(kind: Kind = Kind.EXPLOITED, *, aware: int = NOW, **steps: int) -> Incident:
    taken = tuple((Step(name), at) for name, at in steps.items())
    return Incident("i-1", kind, "overflow", ("therm-v2",), aware, taken)


def test_warning_and_notice_count_from_the_moment_of_knowing() -> None:
    dues = {each.step: each.due for each in filings(incident())}
    assert dues == {Step.WARNING: NOW + 24 * HOUR, Step.NOTICE: NOW + 72 * HOUR}


def test_the_final_report_of_an_exploited_flaw_counts_from_the_fix() -> None:
    fixed = incident(fix=NOW + 5 * DAY)
    assert filings(fixed)[-1] == (Step.FINAL, NOW + 19 * DAY, None)


def test_the_final_report_of_a_severe_incident_counts_from_the_notification() -> None:
    told = incident(Kind.SEVERE, notice=NOW + DAY)
    assert filings(told)[-1] == (Step.FINAL, a_month_after(NOW + DAY), None)
    assert [each.step for each in filings(incident(Kind.SEVERE, fix=NOW))][-1] is Step.NOTICE


@pytest.mark.parametrize(
    ("day", "later"),
    [
        ("2026-11-23T08:00:00", "2026-12-23T08:00:00"),
        ("2026-12-31T23:59:59", "2027-01-31T23:59:59"),
        ("2027-01-31T00:00:00", "2027-02-28T00:00:00"),
        ("2028-01-30T12:00:00", "2028-02-29T12:00:00"),
    ],
)
def test_a_month_is_a_month_of_the_calendar(day: str, later: str) -> None:
    at, then = (
        int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) for text in (day, later)
    )
    assert a_month_after(at) == then


def test_who_knew_before_the_law_was_in_force_owes_no_report() -> None:
    assert datetime.fromtimestamp(IN_FORCE, UTC).isoformat() == "2026-09-11T00:00:00+00:00"
    old = incident(aware=IN_FORCE - 1)
    assert (filings(old), next_due([old]), owed(old)) == ((), NEVER, ())


def test_a_late_report_stays_late_and_one_not_made_stays_due() -> None:
    told = incident(warning=NOW + 25 * HOUR, notice=NOW + 30 * HOUR)
    assert late([told]) == ("i-1 warning",)
    assert next_due([incident()]) == NOW + 24 * HOUR


def test_a_mistake_ends_what_was_not_due_yet_and_nothing_else() -> None:
    early, after = (incident(mistaken=NOW + hours * HOUR) for hours in (1, 30))
    assert next_due([early]) == NEVER
    assert next_due([after]) == NOW + 24 * HOUR


@given(
    st.sampled_from(list(Kind)),
    st.integers(IN_FORCE, NEVER // 2),
    st.dictionaries(st.sampled_from(list(Step)), st.integers(0, 90 * DAY)),
)
def test_what_is_owed_is_never_lost(kind: Kind, aware: int, gaps: dict[Step, int]) -> None:
    """Until all is made or it was a mistake, something is due, waits for its start, or is late."""
    one = incident(kind, aware=aware, **{step.value: aware + gap for step, gap in gaps.items()})
    known = filings(one)
    assert next_due([one]) == min((f.due for f in known if f.made is None), default=NEVER)
    assert all(each.due > aware for each in known)
    if Step.MISTAKEN not in gaps:
        waits = {Step.FINAL} - {each.step for each in known}
        made = {each.step for each in known if each.made is not None}
        assert set(owed(one)) - waits == {each.step for each in known} - made


# --- in the fleet ----------------------------------------------------------------------------


@pytest.fixture
def fleet(tmp_path: Path) -> Standing:
    from dataclasses import replace

    fleet = Standing(tmp_path)
    fleet.policy = replace(fleet.policy, max_evidence_age=90 * DAY, max_feed_age=60 * DAY)
    fleet.context = type(fleet.context)(fleet.store, fleet.policy)
    for model, chip in (("therm-v2", "esp32c3"), ("cam-s3", "esp32s3")):
        fleet.add_release(release(model, chip, "1.4.0", days_ago=45))
        fleet.enrol(f"{model}-01", model, chip, "1.4.0")
        fleet.report(f"{model}-01")
    return fleet


def open_one(fleet: Standing, made: Incident) -> None:
    fleet.store.open_incident(IncidentRow(made, NOW, "ann"))


def step(fleet: Standing, name: str, at: int) -> None:
    fleet.store.take_step(StepRow("i-1", name, at, "", NOW, "ann"))


def outcome(fleet: Standing, now: int, duty: str = "vuln.exploited-clock", unit: str = "d01"):
    fleet.context.refresh()
    facts = fleet.context.standing_facts(unit, now=now)
    by = {each.duty: each.outcome for each in judge(facts, fleet.catalogue).appraisals}
    kept = {each.duty: each.outcome for each in fleet.judge.judge(facts).appraisals}
    assert by[duty] is kept[duty]
    return by[duty]


def test_no_register_is_no_good_news_and_a_complete_empty_one_is(fleet: Standing) -> None:
    assert outcome(fleet, NOW) is Outcome.NOT_SHOWN
    fleet.store.take_step(StepRow("", "review", NOW, "", NOW, "ann"))
    assert outcome(fleet, NOW) is Outcome.NOT_APPLICABLE
    assert outcome(fleet, NOW + 60 * DAY) is Outcome.NOT_SHOWN


def test_each_deadline_turns_the_duty_in_its_very_second(fleet: Standing) -> None:
    open_one(fleet, incident())
    assert outcome(fleet, NOW + 24 * HOUR - 1) is Outcome.MET
    assert outcome(fleet, NOW + 24 * HOUR) is Outcome.NOT_MET
    step(fleet, "warning", NOW + HOUR)
    assert outcome(fleet, NOW + 72 * HOUR - 1) is Outcome.MET
    assert outcome(fleet, NOW + 72 * HOUR) is Outcome.NOT_MET
    step(fleet, "notice", NOW + 2 * HOUR)
    assert outcome(fleet, NOW + 30 * DAY) is Outcome.MET
    step(fleet, "fix", NOW + DAY)
    assert outcome(fleet, NOW + 15 * DAY - 1) is Outcome.MET
    assert outcome(fleet, NOW + 15 * DAY) is Outcome.NOT_MET
    step(fleet, "final", NOW + 16 * DAY)
    assert outcome(fleet, NOW + 17 * DAY) is Outcome.NOT_MET, "late stays late"


def test_what_is_in_time_is_met_to_the_end(fleet: Standing) -> None:
    open_one(fleet, incident(Kind.SEVERE))
    for name, at in (("warning", HOUR), ("notice", 2 * HOUR), ("final", 9 * DAY)):
        step(fleet, name, NOW + at)
    assert outcome(fleet, NOW + 40 * DAY, "vuln.incident-clock") is Outcome.MET


def test_a_maker_owes_it_for_all_his_models_alike(fleet: Standing) -> None:
    open_one(fleet, incident())
    said = {outcome(fleet, NOW + 25 * HOUR, unit=unit) for unit in ("d01", "d02")}
    assert said == {Outcome.NOT_MET}


def test_the_clock_alone_turns_the_state_and_the_forecast_told_so(fleet: Standing) -> None:
    open_one(fleet, incident())
    clock.advance(fleet.context, fleet.judge, now=NOW, everyone=True)
    due = NOW + 24 * HOUR
    told = forecast(fleet.store, fleet.policy, fleet.catalogue, now=NOW, until=due)
    turns = [turn for turn in told.failing if turn.duty.id == "vuln.exploited-clock"]
    assert {(turn.at, turn.cause) for turn in turns} == {(due, Cause.INCIDENT)}
    assert len(turns) == 2
    assert fleet.store.due(due)
    clock.advance(fleet.context, fleet.judge, now=due + 500)
    rows = [row for row in fleet.store.all_intervals() if row.to is None]
    found = [row for row in rows if row.appraisal.duty == "vuln.exploited-clock"]
    assert [(row.subject_kind, row.appraisal.outcome, row.since) for row in found] == [
        ("maker", Outcome.NOT_MET, due)
    ]


def test_a_case_taken_elsewhere_holds_what_the_maker_owes_for_his_other_models(
    fleet: Standing,
) -> None:
    before = proof.references(fleet.store, NOW)
    other = Incident("i-1", Kind.EXPLOITED, "seen", ("cam-s3",), NOW - 10 * DAY)
    open_one(fleet, other)
    assert proof.references(fleet.store, NOW) != before
    row = fleet.store.device("therm-v2-01")
    assert row is not None
    case = bundle.make(fleet.store, fleet.policy, fleet.catalogue, row, now=NOW)
    said = json.loads(bundle._unpack(case)["verdicts/000000000001.json"])
    clocks = {each["duty"]: each["outcome"] for each in said["duties"]}
    assert clocks["vuln.exploited-clock"] == "not-met"
    assert {each.fate for each in bundle.check(case).verdicts} == {bundle.Fate.SAME}


# --- the command line -------------------------------------------------------------------------


def run(home: Path, *words: str, code: int = 0) -> Any:
    from troth.cli import root

    done = CliRunner().invoke(
        root, ["--home", str(home), "--json", "incident", *words], standalone_mode=False
    )
    if isinstance(done.exception, Trouble):
        return done.exception.code
    assert done.exception is None, done.exception
    assert (done.return_value or 0) == code
    return json.loads(done.stdout)


def test_the_walk_of_one_incident(fleet: Standing, tmp_path: Path) -> None:
    import time

    (tmp_path / "troth.toml").touch()
    now = int(time.time())
    assert run(tmp_path, "list")["complete"] is None
    aware = iso(now - 10 * HOUR)
    opened = ("open", "overflow", "--kind", "exploited", "--aware", aware, "--id", "i-9")
    found = run(tmp_path, *opened)["incidents"][0]
    assert found["reports"][0]["due"] == iso(now + 14 * HOUR)
    assert run(tmp_path, *opened) == "incident.duplicate"
    assert run(tmp_path, "close", "i-9", "--because", "done") == "incident.owed"
    for name in ("warning", "notice"):
        run(tmp_path, "report", "i-9", "--step", name, "--ref", "77")
    assert run(tmp_path, "report", "i-9", "--step", "notice") == "incident.step"
    early = ("report", "i-9", "--step", "final", "--at", iso(now - DAY))
    assert run(tmp_path, *early) == "incident.instant"
    assert run(tmp_path, "close", "i-9", "--because", "done") == "incident.owed"
    run(tmp_path, "fix", "i-9")
    run(tmp_path, "report", "i-9", "--step", "final")
    run(tmp_path, "close", "i-9", "--because", "all reported")
    assert run(tmp_path, "fix", "i-9") == "incident.closed"
    assert run(tmp_path, "list")["incidents"] == []
    shown = run(tmp_path, "show", "i-9")["incidents"][0]
    assert [each["step"] for each in shown["steps"]] == [
        "warning",
        "notice",
        "fix",
        "final",
        "closed",
    ]
    assert run(tmp_path, "show", "i-8") == "incident.unknown"
    assert run(tmp_path, "open", " ", "--kind", "severe") == "incident.text"


def test_a_register_with_something_late_says_so_with_its_exit_code(
    fleet: Standing, tmp_path: Path
) -> None:
    (tmp_path / "troth.toml").touch()
    open_one(fleet, incident(aware=IN_FORCE + DAY))
    assert run(tmp_path, "list", code=3)["incidents"][0]["reports"][0]["late"] is True
    before = run(tmp_path, "list", "--as-of", iso(IN_FORCE))
    assert (before["incidents"], before["complete"]) == ([], None)
    assert run(tmp_path, "review", code=3)["complete"]
