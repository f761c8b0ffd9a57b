"""What the clock alone will change, told beforehand; and the same when looked back at."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from standing import DAY, NOW, POLICY, Standing, release
from troth.catalogue import bundled
from troth.core.duties import Outcome, Party
from troth.core.incident import Incident, Kind
from troth.core.verdict import State
from troth.core.waiver import Scope, Waiver
from troth.factory.pki import make_pki
from troth.fleet import clock
from troth.fleet.check import check
from troth.fleet.context import Context
from troth.fleet.device import view_device
from troth.fleet.forecast import Cause, forecast, outlook
from troth.fleet.judging import Judge
from troth.store import FeedRow, IncidentRow, Store

HOUR = 3600
SHORT = "surface.no-webrepl"
CATALOGUE = bundled()
YEARS = 6 * 366 * DAY  # beyond the end of support
BOTH = ["server", "ca"]
DUTIES = (SHORT, "cfg.no-drift", "upd.current", "support.in-force", "attest.fresh")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A bench board, two sold in the EU, now and under the CRA, one in the UK; some at fault."""
    with TemporaryDirectory() as folder:
        fleet = Standing(Path(folder))
        fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
        fleet.add_release(release("therm-v2", "esp32c3", "1.4.0", days_ago=45))
        fleet.add_release(release("therm-v2", "esp32c3", "1.4.1", days_ago=3))
        fleet.add_release(release("gate-v1", "esp32", "1.0.0", days_ago=90))
        fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
        fleet.enrol("therm-01", "therm-v2", "esp32c3", "1.4.0")
        fleet.enrol("gate-01", "gate-v1", "esp32", "1.0.0", market="uk")
        fleet.report("bench-01", webrepl_on=True)
        fleet.report("therm-01")
        fleet.report("gate-01", webrepl_on=True)
        later = fleet.enrol("late-01", "therm-v2", "esp32c3", "1.4.0").row.id
        fleet.report("late-01")
        # it is placed on the market when the CRA binds whole
        fleet.store.change_device(later, at=NOW, placed_on_market=NOW + 400 * DAY)
        bring_feeds(fleet.store)
        fleet.store.close()
        yield Path(folder)


def bring_feeds(store: Store) -> None:
    """One of each kind that ages by itself, and two incidents whose reports fall due."""
    listed = {"made": NOW, "components": [["micropython", "1.29.0"]], "missing": []}
    page = {"contacts": ["security@support.example"], "expires": NOW + 4 * DAY}
    for row, said in (
        *(
            (("sbom", "", each.release.id, NOW), listed | {"subject": each.release.app_digest})
            for each in store.releases()
        ),
        (("osv", "osv", "", NOW - 2 * DAY), []),
        (("eol", "eol", "", NOW - 3 * DAY), []),
        (("contact", "", "therm-v2", NOW - DAY), page),
    ):
        store.add_feed(FeedRow(0, *row, 0, "0" * 64, NOW, "ann"), json.dumps(said).encode())
    for ident, kind, aware in (("i1", Kind.EXPLOITED, HOUR), ("i2", Kind.SEVERE, 40 * HOUR)):
        opened = Incident(ident, kind, "an incident", (), NOW - aware)
        store.open_incident(IncidentRow(opened, NOW, "ann"))


def opened(home: Path, folder: Path) -> Store:
    for name in home.iterdir():
        shutil.copy(name, folder)
    return Store.open(f"sqlite:///{folder / 'troth.db'}")


def waiver(duty: str, expires: int, number: int = 1) -> Waiver:
    return Waiver(
        f"{number:064x}", duty, Scope.ALL, "", "why", "T-1", "bob", "ann",
        Party.OPERATOR, "", NOW, expires,
    )  # fmt: skip


instants = st.integers(1, YEARS) | st.integers(1, 2 * DAY)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    waivers=st.lists(st.tuples(st.sampled_from(DUTIES), st.integers(1, 366 * DAY)), max_size=3),
    jobs=st.lists(instants, max_size=3),
    asked=instants,
    late=st.integers(0, 30 * DAY),
    grace_h=st.sampled_from((0, 24 * 40)),
)
def test_the_forecast_and_the_look_back_agree_when_nothing_else_happened(
    home: Path,
    waivers: list[tuple[str, int]],
    jobs: list[int],
    asked: int,
    late: int,
    grace_h: int,
) -> None:
    policy = replace(POLICY, grace_after_enrolment=grace_h * HOUR)
    at = NOW + asked
    with TemporaryDirectory() as folder, opened(home, Path(folder)) as store:
        for number, (duty, after) in enumerate(waivers):
            store.add_waiver(waiver(duty, NOW + after, number), b"")
        context, judge = Context(store, policy), Judge(CATALOGUE)
        clock.advance(context, judge, now=NOW, everyone=True)
        ahead = Context(store, policy)
        ahead.refresh()
        told = {
            row.id: list(outlook(ahead, Judge(CATALOGUE), row.id, now=NOW, until=at))[-1].verdict
            for row in store.devices()
        }
        for job in sorted(job for job in jobs if job < asked):
            clock.advance(context, judge, now=NOW + job)
        clock.advance(context, judge, now=at + late)

        seen = check(context, CATALOGUE, now=at + late, as_of=at)
        assert {each.id: group.state for group in seen.cohorts for each in group.members} == {
            device: verdict.state for device, verdict in told.items()
        }
        for device, verdict in told.items():
            view = view_device(context, CATALOGUE, device, now=at + late, as_of=at)
            assert {proof.duty.id: proof.said.outcome for proof in view.proofs} == {
                each.duty: each.outcome for each in verdict.appraisals
            }
            assert {p.duty.id for p in view.proofs if p.binds} == verdict.duty_set.mandatory
        assert store.audit_breaks() == ()


@pytest.fixture
def store(home: Path, tmp_path: Path) -> Iterator[Store]:
    with opened(home, tmp_path) as store:
        yield store


def test_each_turn_says_what_of_the_clock_causes_it(store: Store) -> None:
    store.add_waiver(waiver(SHORT, NOW + HOUR), b"")
    found = forecast(store, POLICY, CATALOGUE, now=NOW, until=NOW + YEARS)
    causes = {(turn.device.name, turn.duty.id): turn for turn in found.turns}
    waived = causes["bench-01", SHORT]
    assert (waived.cause, waived.at) == (Cause.WAIVER, NOW + HOUR)
    assert (waived.before, waived.after) == (Outcome.WAIVED, Outcome.NOT_MET)
    assert waived.begins_to_fail
    silent = causes["bench-01", "attest.fresh"]
    assert (silent.cause, silent.at) == (Cause.EVIDENCE_AGE, NOW - 600 + 3 * HOUR)
    assert silent.state is State.STALE
    assert [turn.at for turn in found.turns] == sorted(turn.at for turn in found.turns)
    told = {turn.cause for turn in found.turns}
    assert set(Cause) - told <= {Cause.GRACE, Cause.DECLARATION}  # they have tests of their own


def test_a_regime_that_comes_into_force_turns_what_binds(store: Store) -> None:
    day = NOW + 5 * DAY
    psti = next(each for each in CATALOGUE.regimes if each.id == "uk-psti")
    lines = tuple(replace(line, since=day) for line in psti.lines)
    coming = replace(CATALOGUE, regimes=(replace(psti, in_force=day, lines=lines),))
    found = forecast(store, POLICY, coming, now=NOW, until=NOW + YEARS)
    turns = [turn for turn in found.turns if turn.cause is Cause.REGIME]
    assert {turn.device.name for turn in turns} == {"gate-01"}
    assert all(turn.at == day and "uk-psti" in turn.why for turn in turns)


def test_it_can_be_asked_as_if_each_device_went_on_reporting(store: Store) -> None:
    until = NOW + 30 * DAY
    found = forecast(store, POLICY, CATALOGUE, now=NOW, until=until, heard=True)
    assert all(turn.cause is not Cause.EVIDENCE_AGE for turn in found.turns)
    assert all(turn.state is not State.STALE for turn in found.turns)


def test_a_regime_narrows_it_and_shows_what_does_not_bind_yet(store: Store) -> None:
    lines = {x.duty for r in CATALOGUE.regimes if r.id == "eu-cra" for x in r.lines}
    found = forecast(store, POLICY, CATALOGUE, now=NOW, until=NOW + YEARS, regime="eu-cra")
    assert {turn.duty.id for turn in found.turns} <= lines
    ended = next(turn for turn in found.turns if turn.duty.id == "support.in-force")
    assert (ended.cause, ended.at) == (Cause.SUPPORT_END, 1_956_441_600)
    assert not ended.binds


def test_it_changes_nothing(store: Store) -> None:
    before = (store.states(), store.all_intervals(), store.audit())
    forecast(store, POLICY, CATALOGUE, now=NOW, until=NOW + YEARS)
    assert (store.states(), store.all_intervals(), store.audit()) == before


def test_failing_since_is_told_without_a_break_whatever_the_words(tmp_path: Path) -> None:
    fleet = Standing(tmp_path)
    fleet.policy = replace(POLICY, max_evidence_age=9 * DAY)
    fleet.context = Context(fleet.store, fleet.policy)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    began = NOW - 3 * DAY
    fleet.report("bench-01", at=began - DAY)
    fleet.report("bench-01", at=began, code_digest=b"1" * 32)
    fleet.report("bench-01", at=NOW - DAY, code_digest=b"2" * 32)
    duty = "boot.files-known"
    rows = fleet.store.history(fleet.units["bench-01"].row.id, duty=duty)
    assert [row.appraisal.outcome for row in rows][:2] == [Outcome.NOT_MET, Outcome.NOT_MET]
    found = check(fleet.context, CATALOGUE, now=NOW)
    assert next(each.since for each in found.tallies if each.duty.id == duty) == began
    then = check(fleet.context, CATALOGUE, now=NOW, as_of=began - 1)
    assert next(each.failing for each in then.tallies if each.duty.id == duty) == ()
    view = view_device(fleet.context, CATALOGUE, "bench-01", now=NOW)
    proof = next(each for each in view.proofs if each.duty.id == duty)
    assert (proof.failing_since, proof.since) == (began, NOW - DAY)


def test_the_command_line_speaks_json_and_refuses_the_past(home: Path, tmp_path: Path) -> None:
    from troth.cli import root

    opened(home, tmp_path).close()
    db = f"sqlite:///{tmp_path / 'troth.db'}"
    words = ["forecast", "--db", db, "--json", "--until"]
    done = CliRunner().invoke(root, [*words, "2040-01-01"], standalone_mode=False)
    said = json.loads(done.stdout)
    assert said["schema"] == "troth/forecast/1"
    assert {turn["cause"] for turn in said["turns"]} >= {"evidence-age"}
    past = CliRunner().invoke(root, [*words, "2020-01-01"], standalone_mode=False)
    assert past.exception is not None
    assert getattr(past.exception, "code", "") == "usage.until"


def test_certificates_that_end_by_then_are_told(home: Path, tmp_path: Path) -> None:
    from troth.cli import root

    opened(home, tmp_path).close()
    (tmp_path / "troth.toml").touch()
    make_pki(tmp_path)
    words = ["--home", str(tmp_path), "forecast", "--until"]
    for until, ending in (("2027-01-01", []), ("2035-01-01", ["server"]), ("2040-01-01", BOTH)):
        done = CliRunner().invoke(root, [*words, until, "--json"], standalone_mode=False)
        said = json.loads(done.stdout)
        assert [Path(each["file"]).stem for each in said["certificates"]] == ending
    done = CliRunner().invoke(root, [*words, "2035-01-01"], standalone_mode=False)
    assert "server.pem ends: nobody can report from then on" in done.stdout
