"""Facts as the verifier gathers them: what it counted, what it compared, what time did."""

from __future__ import annotations

from typing import Any

import pytest

import forge
import house
from troth.core.claims import Token
from troth.core.device import Lifecycle, Profile
from troth.core.verdict import State
from troth.fleet import clock
from troth.fleet.boards import must_show
from troth.fleet.context import Context
from troth.fleet.history import DAY, HOUR, History
from troth.ingest.outcomes import Judged
from troth.ingest.pipeline import Pipeline
from troth.store import Store

NOW = house.NOW


def token(**changes: object) -> Token:
    said: dict[str, Any] = {"uptime_s": 100, "boot_count": 7, "boot_seed": b"seedseed"}
    return Token(ueid=b"", nonce=b"", set_digest=bytes(32), issued_at=None, **(said | changes))


def history(*reports: Token) -> History:
    made = History()
    for number, report in enumerate(reports):
        made.take(report, NOW + number)
    return made


COUNTED = {
    "the same boot goes on": ([token(), token(uptime_s=200)], (0, 0)),
    "the next boot": ([token(), token(boot_count=8, boot_seed=b"otherone", uptime_s=3)], (0, 0)),
    "reports that crossed": ([token(), token(uptime_s=90)], (0, 0)),
    "one boot, two seeds": ([token(), token(boot_seed=b"otherone")], (1, 0)),
    "an older boot": ([token(), token(boot_count=6, boot_seed=b"earlier.")], (0, 1)),
    "time runs back": ([token(uptime_s=900), token(uptime_s=100)], (0, 1)),
    "two units taking turns": (
        [token(), token(boot_seed=b"otherone"), token(), token(boot_seed=b"otherone")],
        (2, 0),
    ),
}


@pytest.mark.parametrize("case", COUNTED.values(), ids=list(COUNTED))
def test_clones_and_old_copies_are_counted(case: tuple[list[Token], tuple[int, int]]) -> None:
    reports, counted = case
    assert history(*reports[:-1]).weigh(reports[-1]) == counted
    made = history(*reports)
    assert (made.forks, made.regressions) == counted


def test_only_the_last_hour_and_day_count() -> None:
    made = History()
    for boot in range(5):
        made.take(token(boot_count=boot, boot_seed=bytes([boot] * 8)), NOW + boot * HOUR)
    assert made.reports_per_h(NOW + 4 * HOUR) == 1
    assert made.boots_24h(NOW + 4 * HOUR) == 4
    assert made.boots_24h(NOW + 4 * HOUR, boot_count=9) == 9
    assert made.boots_24h(NOW + 2 * HOUR + DAY) == 2


@pytest.fixture
def board() -> forge.Device:
    return forge.Device(1)


@pytest.fixture
def device(store: Store, board: forge.Device) -> str:
    ident = house.enrol(store, board)
    store.add_release(house.release(board), b"signed", at=NOW)
    return ident


@pytest.fixture
def ticks() -> house.Clock:
    return house.Clock()


@pytest.fixture
def pipeline(store: Store, device: str, ticks: house.Clock) -> Pipeline:
    return house.pipeline(store, clock=ticks)


def attest(pipeline: Pipeline, board: forge.Device, **changes: object) -> Judged:
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, board.bundle(challenge.nonce, **changes))
    assert isinstance(outcome, Judged), outcome
    return outcome


def test_a_restart_counts_what_was_counted_before(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board)
    attest(pipeline, board, bootseed=b"a clone.")
    fresh = Context(store, house.POLICY).history(device, 1)
    kept = pipeline.context.history(device, 1)
    assert (fresh.forks, fresh.regressions, fresh.shown) == (1, 0, kept.shown)
    assert fresh.reports_per_h(NOW) == 2


def test_a_clone_is_a_finding(pipeline: Pipeline, board: forge.Device) -> None:
    assert attest(pipeline, board).verdict.state is State.COMPLIANT
    worse = attest(pipeline, board, bootseed=b"a clone.")
    assert [each.duty for each in worse.verdict.failing] == ["ident.not-cloned"]


def test_a_fuse_that_was_burned_since_and_is_not_any_more_is_a_finding(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    more = bytes(board.said["fuses"][:-1]) + b"\x01"
    assert attest(pipeline, board).verdict.state is State.COMPLIANT
    burned = attest(pipeline, board, cfg=board.set(fuses=more))
    assert burned.verdict.state is State.COMPLIANT
    for walk in (pipeline, house.pipeline(store)):  # and after a restart
        worse = attest(walk, board)
        assert [each.duty for each in worse.verdict.failing] == ["ident.fuses-monotonic"]


def test_a_claim_shown_before_and_now_withheld_is_a_finding(
    pipeline: Pipeline, board: forge.Device
) -> None:
    attest(pipeline, board)
    silent = attest(pipeline, board, cfg=board.set(webrepl_on=forge.DROP))
    assert "surface.no-webrepl" in [each.duty for each in silent.verdict.failing]


def test_a_changed_registry_is_seen_at_the_next_report(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board)
    store.change_device(device, at=NOW, lifecycle=Lifecycle.RETIRED)
    verdict = attest(pipeline, board).verdict
    assert [each.duty for each in verdict.failing] == ["ident.enrolled"]


def test_silence_turns_stale_by_the_clock_alone(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str, ticks: house.Clock
) -> None:
    attest(pipeline, board)
    context, judge = pipeline.context, pipeline.judge
    limit = NOW + house.POLICY.max_evidence_age
    assert clock.standing(context, judge, device, now=limit - 1).state is State.COMPLIANT
    assert clock.standing(context, judge, device, now=limit).state is State.STALE
    assert clock.advance(context, judge, now=limit - 1) == 0
    assert store.due(limit) == (device,)
    assert clock.advance(context, judge, now=limit) == 1
    assert clock.advance(context, judge, now=limit) == 0
    stale, compliant = store.state_history(device)
    assert (stale.state, stale.since, stale.evidence) == (State.STALE, limit, None)
    assert compliant.to == limit
    ticks.now = limit + 10
    assert attest(pipeline, board).verdict.state is State.COMPLIANT


def test_a_withdrawn_release_turns_answers_without_a_report(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board)
    store.withdraw_release(house.release(board).id, b"signed", at=NOW + 5)
    assert clock.advance(pipeline.context, pipeline.judge, now=NOW + 6, everyone=True) == 1
    assert "upd.not-withdrawn" in store.state(device).failing


def test_who_never_reported_has_no_standing(pipeline: Pipeline, device: str) -> None:
    assert clock.standing(pipeline.context, pipeline.judge, device, now=NOW) is None


def test_another_process_is_noticed(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board)
    with Store.open(store.url) as other:
        attest(house.pipeline(other), board, bootseed=b"a clone.")
    attest(pipeline, board)
    assert [each.duty for each in attest(pipeline, board).verdict.failing] == ["ident.not-cloned"]


def test_boards_say_what_they_must_show() -> None:
    assert "d.app_digest" in must_show("esp32c3", Profile.P0)
    assert must_show("esp32c3", Profile.P0) <= must_show("esp32c3", Profile.P2)
    assert must_show("../etc", Profile.P0) == frozenset()
    assert must_show(None, Profile.P0) == frozenset()
