"""From posted bytes to an outcome on record: what is spent, what is kept, what stays as it was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest

import forge
import house
from troth.core.verdict import State
from troth.fleet.courses import answers
from troth.ingest.outcomes import (
    BadEnvelope,
    Judged,
    NoSession,
    Repeated,
    SessionSpent,
    TurnedAway,
    Waiting,
)
from troth.ingest.pipeline import BARE, Pipeline
from troth.ingest.steps import Message
from troth.store import Store


@pytest.fixture
def board() -> forge.Device:
    return forge.Device(1)


@pytest.fixture
def device(store: Store, board: forge.Device) -> str:
    ident = house.enrol(store, board)
    store.add_release(house.release(board), b"signed", at=house.NOW)
    return ident


@pytest.fixture
def pipeline(store: Store, device: str) -> Pipeline:
    return house.pipeline(store)


def attest(pipeline: Pipeline, board: forge.Device, **changes: object) -> Judged:
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, board.bundle(challenge.nonce, **changes))
    assert isinstance(outcome, Judged), outcome
    return outcome


def test_an_honest_board_is_judged_and_on_record(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    outcome = attest(pipeline, board)
    assert outcome.device == device
    row = store.evidence(outcome.evidence)
    assert row is not None
    assert row.set_digest == board.set_digest()
    assert store.state(device).state is outcome.verdict.state
    assert {row.appraisal.duty for row in store.intervals(device)} == {
        each.duty for each in outcome.verdict.appraisals if each.subject == "unit"
    }
    assert [row.action for row in store.audit()][-1] == "evidence.accepted"
    assert not store.audit_breaks()


def test_an_honest_board_meets_every_mandatory_duty(
    pipeline: Pipeline, board: forge.Device
) -> None:
    outcome = attest(pipeline, board)
    assert [(each.duty, each.because) for each in outcome.verdict.failing] == []
    assert outcome.verdict.state is State.COMPLIANT


def test_an_unknown_set_is_asked_for_and_nothing_is_spent(
    pipeline: Pipeline, store: Store, board: forge.Device
) -> None:
    challenge = pipeline.challenge()
    bare = board.token(challenge.nonce)
    outcome = pipeline.submit(challenge.session, bare, BARE)
    assert isinstance(outcome, Waiting)
    assert outcome.wanted == board.set_digest()
    assert store.challenge(challenge.session).spent_at is None
    bundled = pipeline.submit(challenge.session, board.bundle(challenge.nonce))
    assert isinstance(bundled, Judged)


def test_a_known_set_needs_the_bare_token_only(pipeline: Pipeline, board: forge.Device) -> None:
    attest(pipeline, board)
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, board.token(challenge.nonce), BARE)
    assert isinstance(outcome, Judged)


def test_the_same_bytes_get_the_same_answer_once_more(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    challenge = pipeline.challenge()
    raw = board.bundle(challenge.nonce)
    first = pipeline.submit(challenge.session, raw)
    again = pipeline.submit(challenge.session, raw)
    assert isinstance(again, Repeated)
    assert again.ear == first.ear
    assert len(store.evidences(device)) == 1


def test_other_bytes_find_the_challenge_spent(pipeline: Pipeline, board: forge.Device) -> None:
    challenge = pipeline.challenge()
    pipeline.submit(challenge.session, board.bundle(challenge.nonce))
    with pytest.raises(SessionSpent, match="another message"):
        pipeline.submit(challenge.session, board.bundle(challenge.nonce, uptime=4712))


def test_a_replay_is_filed_under_whoever_asked_for_the_challenge(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    replayer = forge.Device(seed=2)
    culprit = house.enrol(store, replayer)
    old = board.bundle(forge.nonce_of(7))
    challenge = pipeline.challenge(replayer.ueid)
    outcome = pipeline.submit(challenge.session, old)
    assert isinstance(outcome, TurnedAway)
    assert (outcome.why.code, outcome.device) == ("nonce.replayed", culprit)
    assert store.rejections(device) == ()


def test_two_redemptions_at_once_have_one_winner(
    store: Store, device: str, board: forge.Device
) -> None:
    pipelines = [house.pipeline(store) for _ in range(4)]
    challenge = pipelines[0].challenge()
    messages = [board.bundle(challenge.nonce, uptime=5000 + n) for n in range(4)]

    def redeem(pair: tuple[Pipeline, bytes]) -> str:
        try:
            return type(pair[0].submit(challenge.session, pair[1])).__name__
        except SessionSpent:
            return "spent"

    with ThreadPoolExecutor(4) as pool:
        ends = sorted(pool.map(redeem, zip(pipelines, messages, strict=True)))
    assert ends == ["Judged", "spent", "spent", "spent"]
    assert len(store.evidences(device)) == 1


REFUSED = {
    "a stranger's key": ("key.unknown", lambda b, n: forge.Device(99).bundle(n), None),
    "a signature of another": (
        "sig.bad",
        lambda b, n: forge.wrap(
            forge.cbor(b.envelope(b.claims(n), signature=bytes(63) + b"\1")), b.set()
        ),
        "own",
    ),
    "an older nonce": ("nonce.replayed", lambda b, n: b.bundle(forge.nonce_of(1)), "own"),
    "another board's name": (
        "id.mismatch",
        lambda b, n: b.bundle(n, ueid=forge.Device(2).ueid),
        "own",
    ),
    "a set that was not signed": (
        "set.mismatch",
        lambda b, n: forge.wrap(b.token(n), b.set(repl="open")),
        "own",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_bad_evidence_spends_and_is_filed_under_its_signer(
    case: tuple, pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    code, forged, owner = case
    attest(pipeline, board)
    before = store.state(device), store.intervals(device), store.latest_evidence(device)
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, forged(board, challenge.nonce))
    assert isinstance(outcome, TurnedAway)
    assert outcome.why.code == code
    row = store.rejections()[0]
    assert (row.code, row.device) == (code, device if owner else None)
    assert store.challenge(challenge.session).spent_at == house.NOW
    assert (store.state(device), store.intervals(device), store.latest_evidence(device)) == before


def test_unknown_keys_and_bad_signatures_look_alike_from_outside(
    pipeline: Pipeline, board: forge.Device
) -> None:
    ends = []
    for forged in (REFUSED["a stranger's key"][1], REFUSED["a signature of another"][1]):
        challenge = pipeline.challenge()
        outcome = pipeline.submit(challenge.session, forged(board, challenge.nonce))
        claims = jwt.decode(
            outcome.ear,
            house.ear_key().public_key(),
            algorithms=["ES256"],
            options={"verify_iat": False},
        )
        del claims["submods"]["board"]["eat_nonce"]
        ends.append(claims)
    assert ends[0] == ends[1]
    assert ends[0]["ear_status"] == "contraindicated"


ENVELOPES = {
    "nothing": b"",
    "text": b"hello",
    "a cut token": forge.Device(1).token(forge.nonce_of(1))[:-1],
    "a tail": forge.Device(1).token(forge.nonce_of(1)) + b"\0",
    "too much": bytes(16 * 1024 + 1),
}


@pytest.mark.parametrize("raw", ENVELOPES.values(), ids=list(ENVELOPES))
def test_a_bad_envelope_spends_nothing(raw: bytes, pipeline: Pipeline, store: Store) -> None:
    challenge = pipeline.challenge()
    with pytest.raises(BadEnvelope) as told:
        pipeline.submit(challenge.session, raw)
    assert told.value.code.partition(".")[0] in ("cbor", "cose", "size")
    assert store.challenge(challenge.session).spent_at is None
    assert store.rejections()[0].code == told.value.code


def test_a_session_ends_with_its_second(store: Store, device: str, board: forge.Device) -> None:
    clock = house.Clock()
    pipeline = house.pipeline(store, clock=clock, ttl_s=60)
    early, late = pipeline.challenge(), pipeline.challenge()
    clock.now += 59
    assert isinstance(pipeline.submit(early.session, board.bundle(early.nonce)), Judged)
    clock.now += 1
    with pytest.raises(NoSession) as told:
        pipeline.submit(late.session, board.bundle(late.nonce))
    assert told.value.code == "nonce.expired"


def test_an_unknown_session_is_unknown(pipeline: Pipeline, board: forge.Device) -> None:
    with pytest.raises(NoSession) as told:
        pipeline.submit("f" * 32, board.bundle(forge.nonce_of(1)))
    assert told.value.code == "nonce.unknown"


def test_a_restart_between_challenge_and_answer_loses_nothing(
    pipeline: Pipeline, store: Store, board: forge.Device
) -> None:
    challenge = pipeline.challenge()
    raw = board.bundle(challenge.nonce)
    reborn = house.pipeline(store)
    first = reborn.submit(challenge.session, raw)
    assert isinstance(first, Judged)
    again = house.pipeline(store).submit(challenge.session, raw)
    assert again == Repeated(store.challenge(challenge.session).challenge, first.ear)


def test_a_report_that_others_read_before_it_is_counted_is_counted_once(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board, counter=1)
    challenge = pipeline.challenge()
    raw = board.token(challenge.nonce, counter=2)
    prepared = pipeline.prepare([Message(challenge.session, raw, BARE, house.NOW)])
    rows = store.record_many(prepared.changes)
    neighbour = forge.Device(2)
    with Store.open(store.url) as another:  # another process writes, which the next record notices
        house.enrol(another, neighbour)
    attest(pipeline, neighbour)
    pipeline.context.refresh()
    pipeline.context.standing_facts(device, now=house.NOW)  # the clock judges meanwhile
    pipeline.conclude(prepared, rows)
    facts = pipeline.context.standing_facts(device, now=house.NOW)
    assert facts is not None
    assert (facts.v.boot_forks, facts.v.counter_regressions) == (0, 0)


def test_a_revoked_key_speaks_for_nobody_at_once(
    pipeline: Pipeline, store: Store, board: forge.Device
) -> None:
    attest(pipeline, board)
    store.revoke_key(board.key_id, at=house.NOW)
    challenge = pipeline.challenge()
    outcome = pipeline.submit(challenge.session, board.bundle(challenge.nonce))
    assert isinstance(outcome, TurnedAway)
    assert outcome.why.code == "key.revoked"


def test_an_answer_that_holds_keeps_its_interval(
    pipeline: Pipeline, store: Store, board: forge.Device, device: str
) -> None:
    attest(pipeline, board)
    before = store.history(device)
    attest(pipeline, board, uptime=4800)
    assert store.history(device) == before
    assert len(store.evidences(device)) == 2


def test_a_changed_claim_closes_one_interval_and_opens_one(
    store: Store, device: str, board: forge.Device
) -> None:
    clock = house.Clock()
    pipeline = house.pipeline(store, clock=clock)
    attest(pipeline, board)
    clock.now += 100
    worse = attest(pipeline, board, cfg=board.set(webrepl_on=True))
    assert worse.verdict.state is State.NON_COMPLIANT
    newest, oldest = store.history(device, duty="surface.no-webrepl")
    assert (oldest.since, oldest.to, oldest.appraisal.outcome) == (
        house.NOW,
        house.NOW + 100,
        "met",
    )
    assert (newest.since, newest.to, newest.evidence) == (house.NOW + 100, None, worse.evidence)
    then = {row.appraisal.duty: row for row in store.intervals(device, as_of=house.NOW + 99)}
    assert then["surface.no-webrepl"] == oldest
    states = store.state_history(device)
    assert [row.state for row in states] == [State.NON_COMPLIANT, State.COMPLIANT]
    assert states[0].failing == ("surface.no-webrepl",)


def test_what_stood_over_a_device_is_told_for_as_long_as_it_did(
    store: Store, device: str, board: forge.Device
) -> None:
    clock = house.Clock()
    pipeline = house.pipeline(store, clock=clock)
    for image in (None, forge.digest_of("another app"), None):
        changed = {} if image is None else {"cfg": board.set(app_digest=image)}
        attest(pipeline, board, **changed)
        clock.now += 100
    told = [row for row in answers(store, device) if row.appraisal.duty == "store.no-hardcoded"]
    assert [(row.since - house.NOW, row.to) for row in told] == [
        (200, None),
        (100, house.NOW + 200),
        (0, house.NOW + 100),
    ]
    newest, between, oldest = (row.subject for row in told)
    assert newest == oldest
    assert between.startswith("app:")
