"""Reports without a session: what counts, what is late, what is refused, and what is receipted."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cbor2
import httpx
import jwt
import pytest
from starlette.testclient import TestClient

import forge
import house
from troth.cli import root
from troth.cli.output import run
from troth.core.device import Profile
from troth.core.freshness import LATE_S, Freshness
from troth.core.verdict import State
from troth.fleet.clock import advance
from troth.fleet.device import view_device
from troth.fleet.gaps import missing
from troth.fleet.offline import verify_bytes
from troth.fleet.words import iso
from troth.formats import eat
from troth.ingest.bounds import Bounds
from troth.ingest.epochs import Epochs
from troth.ingest.http import EPOCH, EVIDENCE, Api
from troth.ingest.pipeline import BUNDLE, Pipeline
from troth.policyfile import read_policy
from troth.store import KeyRow, Store
from troth.web.app import pages

PERIOD = 900
ACCEPTED, WANTED, REFUSED, LATE = range(4)


@dataclass
class House:
    """A verifier, its clock, and one enrolled board."""

    store: Store
    clock: house.Clock
    board: forge.Device
    device: str
    folder: Path

    def pipeline(self) -> Pipeline:
        return house.pipeline(self.store, clock=self.clock)

    def talk(self, conversation: Talk, bounds: Bounds | None = None) -> Any:
        """Run one conversation with a fresh Api, as after a restart."""

        async def main() -> Any:
            api = Api(self.pipeline(), bounds=bounds)
            transport = httpx.ASGITransport(
                api, raise_app_exceptions=False, client=("192.0.2.7", 1)
            )
            async with httpx.AsyncClient(transport=transport, base_url="http://verifier") as client:
                return await conversation(client)

        return asyncio.run(main())

    def handle(self) -> bytes:
        return bytes(self.talk(epoch)[10])

    def report(self, raw: bytes, query: str = "") -> dict[str, Any]:
        async def conversation(client: httpx.AsyncClient) -> dict[str, Any]:
            return await post(client, raw, query)

        said: dict[str, Any] = self.talk(conversation)
        return said

    def seen(self) -> list[Freshness]:
        return [row.freshness for row in reversed(self.store.evidences(self.device))]


Talk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]]


@pytest.fixture
def at(tmp_path: Path) -> Iterator[House]:
    board = forge.Device(1)
    with house.new_store(tmp_path) as store:
        device = house.enrol(store, board)
        store.add_release(house.release(board), b"signed", at=house.NOW)
        yield House(store, house.Clock(), board, device, tmp_path)


async def epoch(client: httpx.AsyncClient) -> dict[int, Any]:
    told = await client.get(EPOCH)
    assert told.status_code == 200, told.text
    assert told.headers["content-type"] == "application/cbor"
    said: dict[int, Any] = cbor2.loads(told.content)
    return said


async def post(client: httpx.AsyncClient, raw: bytes, query: str = "") -> dict[str, Any]:
    told = await client.post(EVIDENCE + query, content=raw, headers={"content-type": BUNDLE})
    assert told.status_code == 200, told.text
    said: dict[str, Any] = cbor2.loads(told.content)
    return said


# --- handles ---------------------------------------------------------------------------------


def test_a_handle_is_everybodys_for_a_period_and_good_for_one_more(at: House) -> None:
    first = at.talk(epoch)
    assert set(first) == {4, 6, 10}
    assert (first[6], first[4]) == (house.NOW, house.NOW + 2 * PERIOD)
    assert len(first[10]) == 32
    at.clock.now += PERIOD - 1
    assert at.talk(epoch) == first, "the same after a restart"
    at.clock.now += 1
    second = at.talk(epoch)
    assert second[10] != first[10]
    assert second[6] == first[6] + PERIOD


def test_processes_of_one_store_publish_the_same_handle(at: House) -> None:
    with Store.open(at.store.url) as other:
        mine, theirs = (Epochs(store, at.clock) for store in (at.store, other))
        assert mine.current() == theirs.current()
        at.clock.now += PERIOD
        assert theirs.current() == mine.current()


def test_a_clock_set_back_makes_a_new_handle(at: House) -> None:
    epochs = Epochs(at.store, at.clock)
    first = epochs.current()
    at.clock.now -= 86_400
    assert epochs.current().nonce != first.nonce


@pytest.mark.parametrize(
    ("said", "epoch_s"),
    [("", 900), ("max_evidence_age_s = 60", 15), ("epoch_s = 60", 60)],
    ids=["default", "strict", "said"],
)
def test_an_epoch_is_short_beside_the_age_that_evidence_may_have(
    tmp_path: Path, said: str, epoch_s: int
) -> None:
    (tmp_path / "policy.toml").write_text(said)
    assert read_policy(tmp_path / "policy.toml")[2] == epoch_s


def test_old_handles_are_forgotten(at: House) -> None:
    epochs = Epochs(at.store, at.clock)
    first = epochs.current()
    at.clock.now = first.expires + LATE_S
    epochs.current()
    assert at.store.handle(first.nonce) is None


# --- what counts -----------------------------------------------------------------------------


def test_an_answer_to_the_handle_is_judged_as_a_report(at: House) -> None:
    handle = at.handle()
    bare = at.board.token(handle, counter=0)
    told = at.report(bare)
    assert told == {"status": WANTED, "wanted": [at.board.set_digest()]}
    assert at.report(at.board.bundle(handle, counter=0)) == {"status": ACCEPTED}
    assert at.store.state(at.device).state is State.COMPLIANT
    assert at.report(at.board.token(handle, counter=1)) == {"status": ACCEPTED}, "set is known now"
    assert at.seen() == [Freshness.EPOCH, Freshness.EPOCH]
    assert not at.store.audit_breaks()


def test_it_is_as_fresh_as_its_handle(at: House) -> None:
    handle = at.handle()
    at.clock.now += 1000
    at.report(at.board.bundle(handle, counter=0))
    row = at.store.latest_evidence(at.device)
    assert (row.given, row.received) == (house.NOW, house.NOW + 1000)
    until = at.store.state(at.device).until
    assert until == house.NOW + house.POLICY.max_evidence_age


def test_the_result_says_which_kind_of_challenge_it_was(at: House) -> None:
    handle = at.handle()
    told = at.report(at.board.bundle(handle, counter=0), "?result=1")
    key = house.ear_key().public_key()
    said = jwt.decode(told["result"], key, algorithms=["ES256"], options={"verify_exp": False})
    claims = said["submods"]["board"]["ear_verifier_claims"]
    assert claims["troth_challenge"] == "epoch"
    assert claims["troth_fresh_since"] == house.NOW


def test_the_same_bytes_again_get_the_same_answer_and_one_row(at: House) -> None:
    raw = at.board.bundle(at.handle(), counter=0)
    assert at.report(raw) == at.report(raw) == {"status": ACCEPTED}
    assert len(at.seen()) == 1


def test_it_counts_once_for_each_boot_and_counter(at: House) -> None:
    handle = at.handle()
    at.report(at.board.bundle(handle, counter=0))
    told = at.report(at.board.bundle(handle, counter=0, uptime=9999))
    assert told == {"status": REFUSED, "code": "nonce.spent"}
    assert at.report(at.board.bundle(handle, counter=1)) == {"status": ACCEPTED}
    later = at.board.bundle(handle, counter=0, bootcount=8, bootseed=bytes(8))
    assert at.report(later) == {"status": ACCEPTED}


def test_processes_of_one_store_count_it_once(at: House) -> None:
    raw, twin = (at.board.bundle(at.handle(), counter=0, uptime=up) for up in (5, 6))
    at.report(raw)
    with Store.open(at.store.url) as other:
        theirs = House(other, at.clock, at.board, at.device, at.folder)
        assert theirs.report(raw) == {"status": ACCEPTED}
        assert theirs.report(twin) == {"status": REFUSED, "code": "nonce.spent"}
    assert len(at.seen()) == 1


def test_a_board_whose_key_is_in_a_fuse_answers_it_as_well(at: House) -> None:
    board = forge.MacDevice(3)
    device = house.enrol(at.store, board, profile=Profile.P1)
    assert at.report(board.bundle(at.handle(), counter=0)) == {"status": ACCEPTED}
    assert at.store.latest_evidence(device).freshness is Freshness.EPOCH


# --- what is late ----------------------------------------------------------------------------


def test_within_the_grace_it_counts_and_after_it_is_history(at: House) -> None:
    old = at.handle()
    at.clock.now += 2 * PERIOD - 1
    assert at.report(at.board.bundle(old, counter=0)) == {"status": ACCEPTED}
    at.clock.now += 1
    assert at.report(at.board.bundle(old, counter=1)) == {"status": LATE}
    assert at.seen() == [Freshness.EPOCH, Freshness.LATE]


def test_a_late_report_never_changes_what_is_newer(at: House) -> None:
    old = at.handle()
    at.clock.now += 3 * PERIOD
    failing = at.board.bundle(at.handle(), cfg=at.board.set(webrepl_on=True), counter=9)
    at.report(failing)
    before = (
        at.store.state(at.device),
        at.store.intervals(at.device),
        at.store.latest_evidence(at.device),
    )
    assert before[0].state is State.NON_COMPLIANT
    assert at.report(at.board.bundle(old, counter=3)) == {"status": LATE}
    after = (
        at.store.state(at.device),
        at.store.intervals(at.device),
        at.store.latest_evidence(at.device),
    )
    assert after == before
    late = at.store.evidences(at.device)[0]
    assert (late.freshness, late.state) == (Freshness.LATE, State.COMPLIANT)
    assert (late.given, late.received) == (house.NOW, at.clock.now)


def test_a_device_of_which_late_reports_alone_came_has_no_state(at: House) -> None:
    old = at.handle()
    at.clock.now += 3 * PERIOD
    at.report(at.board.bundle(old, counter=0))
    assert at.store.state(at.device) is None
    assert at.store.latest_evidence(at.device) is None


def test_what_is_older_than_a_report_that_came_is_history_though_its_handle_is_good(
    at: House,
) -> None:
    handle = at.handle()
    at.report(at.board.bundle(handle, counter=5))
    assert at.report(at.board.bundle(handle, counter=4)) == {"status": LATE}
    newest = at.store.latest_evidence(at.device)
    assert newest.counter == 5


def test_what_crosses_on_its_way_to_the_disk_is_put_in_order_there(at: House) -> None:
    """Both were weighed before either was on record."""
    handle = at.handle()

    async def conversation(client: httpx.AsyncClient) -> list[dict[str, Any]]:
        sent = (at.board.bundle(handle, counter=n) for n in (5, 4))
        return await asyncio.gather(*(post(client, raw) for raw in sent))

    assert at.talk(conversation) == [{"status": ACCEPTED}, {"status": LATE}]
    assert at.store.latest_evidence(at.device).counter == 5


def test_a_late_report_is_no_counter_gone_back_but_shows_another_board(at: House) -> None:
    old = at.handle()
    at.clock.now += 3 * PERIOD
    at.report(at.board.bundle(at.handle(), counter=9))
    at.report(at.board.bundle(old, bootcount=6, bootseed=bytes(8), counter=1))
    at.report(at.board.bundle(at.handle(), counter=10))
    assert at.store.state(at.device).state is State.COMPLIANT
    other = at.board.bundle(old, bootseed=bytes(8), counter=2)  # the boot that we know, otherwise
    at.report(other)
    at.report(at.board.bundle(at.handle(), counter=11))
    assert "ident.not-cloned" in at.store.state(at.device).failing


def test_a_fuse_that_was_not_burned_then_is_no_finding_of_a_late_report(at: House) -> None:
    old = at.handle()
    at.clock.now += 3 * PERIOD
    fuses = bytearray(at.board.said["fuses"])
    fuses[-1] |= 0x80
    at.report(at.board.bundle(at.handle(), cfg=at.board.set(fuses=bytes(fuses)), counter=9))
    at.report(at.board.bundle(old, counter=3))
    assert at.store.evidences(at.device)[0].state is State.COMPLIANT
    at.report(at.board.bundle(at.handle(), counter=10))
    assert "ident.fuses-monotonic" in at.store.state(at.device).failing


def test_a_key_that_was_replaced_in_good_order_still_speaks_of_before(at: House) -> None:
    new, pipeline = forge.Device(2), at.pipeline()
    new.ueid, new.name = at.board.ueid, at.board.name
    before = at.handle()
    at.report(at.board.bundle(before, counter=5))
    at.clock.now += 10
    at.store.rotate_key(
        KeyRow(new.key_id, at.device, new.ueid.hex(), new.public_key),
        at.board.key_id,
        pipeline.challenge(new.ueid).session,
        b"both signed",
        at=at.clock.now,
        actor="board",
    )
    spooled = at.board.bundle(before, counter=6)
    assert at.report(spooled) == at.report(spooled) == {"status": LATE}
    assert at.seen() == [Freshness.EPOCH, Freshness.LATE]
    for row in at.store.evidences(at.device):  # judged again, as it was when it came
        again = verify_bytes(
            at.store, house.POLICY, house.duties(), row.raw, now=row.received
        ).verdict
        assert again
        assert again.state is row.state
    at.clock.now += PERIOD
    refused = {"status": REFUSED, "code": "key.revoked"}
    assert at.report(at.board.bundle(at.handle(), counter=7)) == refused
    session = pipeline.challenge(new.ueid)
    told = pipeline.submit(session.session, at.board.bundle(session.nonce, counter=8))
    assert told.why.code == "key.revoked"
    assert at.report(new.bundle(at.handle(), counter=1)) == {"status": ACCEPTED}
    assert at.store.state(at.device).state is State.COMPLIANT
    at.store.revoke_key(at.board.key_id, at=at.clock.now, why="stolen")
    assert at.report(at.board.bundle(before, counter=9)) == refused


def test_a_counter_that_was_used_before_is_another_copy_of_the_board(at: House) -> None:
    pipeline = at.pipeline()

    def attest(counter: int) -> State:
        challenge = pipeline.challenge()
        raw = at.board.bundle(challenge.nonce, counter=counter)
        return pipeline.submit(challenge.session, raw).verdict.state

    assert [attest(1), attest(2)] == [State.COMPLIANT] * 2
    assert attest(2) is State.NON_COMPLIANT


@pytest.mark.parametrize("seed", range(2))
def test_what_is_remembered_and_what_is_read_again_decide_alike(at: House, seed: int) -> None:
    """One pipeline that runs on, and one that starts anew before every report."""
    draw = random.Random(seed)
    handles = []
    for _ in range(4):
        handles.append(at.handle())
        at.clock.now += PERIOD
    raws = [
        at.board.bundle(
            draw.choice(handles),
            bootcount=draw.choice((6, 7, 8)),
            counter=draw.randrange(4),
            bootseed=bytes((draw.choice((1, 1, 1, 2)),)) * 8,
        )
        for _ in range(14)
    ]
    shutil.copytree(at.folder, at.folder / "twin")
    with house.new_store(at.folder / "twin") as store:
        twin = House(store, at.clock, at.board, at.device, at.folder / "twin")

        async def conversation(client: httpx.AsyncClient) -> list[dict[str, Any]]:
            return [await post(client, raw) for raw in raws]

        assert twin.talk(conversation) == [at.report(raw) for raw in raws]
        assert twin.seen() == at.seen()
        ours, theirs = (each.store.state(at.device) for each in (at, twin))
        assert ours == theirs
        histories = [each.pipeline().context.history(at.device, 1) for each in (at, twin)]
        assert histories[0] == histories[1]


def test_a_month_later_it_is_refused(at: House) -> None:
    old = at.talk(epoch)
    at.clock.now = old[4] + LATE_S - 1
    assert at.report(at.board.bundle(old[10], counter=0)) == {"status": LATE}
    at.clock.now += 1
    told = at.report(at.board.bundle(old[10], counter=1))
    assert told == {"status": REFUSED, "code": "nonce.expired"}


# --- what is refused -------------------------------------------------------------------------


def test_a_handle_of_another_verifier_is_refused_and_filed(at: House) -> None:
    told = at.report(at.board.bundle(forge.digest_of("their handle"), counter=0))
    assert told == {"status": REFUSED, "code": "nonce.unknown"}
    assert [row.code for row in at.store.rejections(at.device)] == ["nonce.unknown"]
    assert at.store.state(at.device) is None


def test_without_a_counter_it_could_count_twice(at: House) -> None:
    told = at.report(at.board.bundle(at.handle()))
    assert told == {"status": REFUSED, "code": "claim.missing"}


@pytest.mark.parametrize("what", ["unknown key", "bad signature", "noise"])
def test_what_no_enrolled_key_signed_is_not_filed(at: House, what: str) -> None:
    handle = at.handle()
    raw = {
        "unknown key": forge.Device(2).bundle(handle, counter=0),
        "bad signature": at.board.token(handle, counter=0)[:-60] + bytes(60),
        "noise": b"\xff" * 40,
    }[what]
    told = at.report(raw)
    assert told["status"] == REFUSED
    if what == "unknown key":
        assert told["code"] == "sig.bad", "nobody learns whose keys are enrolled"
    assert at.store.rejections() == ()


def test_a_revoked_key_is_filed_as_its_own(at: House) -> None:
    at.store.revoke_key(at.board.key_id, at=house.NOW)
    told = at.report(at.board.bundle(at.handle(), counter=0))
    assert told == {"status": REFUSED, "code": "key.revoked"}
    assert [row.code for row in at.store.rejections(at.device)] == ["key.revoked"]


def test_a_new_key_begins_to_count_anew(at: House) -> None:
    at.report(at.board.bundle(at.handle(), bootcount=70, counter=9))
    again = forge.Device(2)
    again.mac, again.ueid, again.name = at.board.mac, at.board.ueid, at.board.name
    at.store.add_key(
        KeyRow(again.key_id, at.device, again.ueid.hex(), again.public_key, epoch=2), at=house.NOW
    )
    at.clock.now += PERIOD
    assert at.report(again.bundle(at.handle(), bootcount=1, counter=0)) == {"status": ACCEPTED}


def test_an_erased_board_counts_again_from_the_next_handle_on(at: House) -> None:
    at.report(at.board.bundle(at.handle(), bootcount=70, counter=9))

    def erased(counter: int) -> dict[str, Any]:
        said = {"bootcount": 1, "bootseed": bytes(8), "counter": counter}
        return at.report(at.board.bundle(at.handle(), **said))

    assert erased(0) == {"status": LATE}, "nobody can tell which was first"
    at.clock.now += PERIOD
    assert erased(1) == {"status": ACCEPTED}
    assert "ident.not-cloned" in at.store.state(at.device).failing
    assert erased(2) == {"status": ACCEPTED}


def test_silence_counts_from_the_handle_and_not_from_the_delivery(at: House) -> None:
    handle = at.handle()
    at.clock.now += 1500
    at.report(at.board.bundle(handle, counter=0))
    at.clock.now = house.NOW + house.POLICY.max_evidence_age - 1
    pipeline = at.pipeline()
    advance(pipeline.context, pipeline.judge, now=at.clock.now)
    assert at.store.state(at.device).state is State.COMPLIANT
    at.clock.now += 1
    advance(pipeline.context, pipeline.judge, now=at.clock.now)
    assert at.store.state(at.device).state is State.STALE
    at.report(at.board.bundle(handle, counter=1))  # an old handle wakes nobody
    assert at.store.state(at.device).state is State.STALE


def test_without_a_store_there_is_no_handle_and_nobody_is_blamed(at: House) -> None:
    at.store._writer.close()

    async def conversation(client: httpx.AsyncClient) -> httpx.Response:
        return await client.get(EPOCH)

    told = at.talk(conversation)
    assert (told.status_code, told.json()["code"]) == (503, "store.unavailable")
    assert int(told.headers["retry-after"]) > 0


def test_a_session_s_answer_is_not_one_to_a_handle_and_the_reverse(at: House) -> None:
    pipeline = at.pipeline()
    challenge = pipeline.challenge()
    told = at.report(at.board.bundle(challenge.nonce, counter=0))
    assert told == {"status": REFUSED, "code": "nonce.unknown"}
    told = pipeline.submit(challenge.session, at.board.bundle(at.handle(), counter=1))
    assert told.why.code == "nonce.replayed"


# --- how it is shown -------------------------------------------------------------------------


def test_late_reports_are_shown_apart_and_say_when_they_were_given(
    at: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = at.handle()
    at.clock.now += 3 * PERIOD
    at.report(at.board.bundle(at.handle(), counter=9))
    at.report(at.board.bundle(old, counter=3))
    view = view_device(at.pipeline().context, house.duties(), at.board.name, now=at.clock.now)
    assert [row.counter for row in view.reports] == [9]
    assert [row.counter for row in view.late] == [3]

    def troth(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["troth", *words, "--db", at.store.url])
        assert run(root) == 0
        return capsys.readouterr().out

    assert "1 report came late" in troth("device", "show", at.board.name)
    assert "CAME LATE" in troth("device", "history", at.board.name)
    assert "everybody's challenge" in troth("evidence", "show", "1")
    assert f"given after {iso(house.NOW)}: history" in troth("evidence", "show", "2")
    said = json.loads(troth("device", "history", at.board.name, "--json"))
    assert [row["freshness"] for row in said["late"]] == ["late"]

    page = TestClient(pages(at.store, house.duties(), house.POLICY, clock=at.clock))
    assert "Came late" in page.get(f"/devices/{at.board.name}").text
    assert "no longer when it came" in page.get("/evidence/2").text


def test_what_a_board_signed_and_nobody_has_is_told_until_it_comes(
    at: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def troth(verb: str, *words: str) -> str:
        argv = ["troth", "device", verb, at.board.name, *words, "--db", at.store.url]
        monkeypatch.setattr(sys, "argv", argv)
        assert run(root) == 0
        return capsys.readouterr().out

    def gaps() -> list[tuple[int, int, int]]:
        found = missing(at.store, at.device, until=at.clock.now).gaps
        return [(gap.boot, gap.first, gap.last) for gap in found]

    old = at.handle()
    at.report(at.board.bundle(old, counter=5))
    assert gaps() == [], "nobody here knows how the first boot that was heard began"
    at.clock.now += 3 * PERIOD
    spool = {eat.DROPPED: 2}
    at.report(at.board.bundle(at.handle(), counter=9, extra=spool))
    at.report(at.board.bundle(at.handle(), bootcount=8, bootseed=bytes(8), counter=3))
    assert gaps() == [(8, 1, 2), (7, 6, 8)]
    assert at.store.state(at.device).state is State.COMPLIANT
    said = troth("show")
    assert "Signed by the board and not on record: 5 reports." in said
    assert "By its own word 2 made room in its spool." in said
    assert "boot 7, counter 6 to 8, before" in said
    at.report(at.board.bundle(old, counter=7))
    assert gaps() == [(8, 1, 2), (7, 8, 8), (7, 6, 6)]
    for verb in ("show", "history"):
        told = json.loads(troth(verb, "--json"))["missing"]
        assert (told["reports"], told["dropped"]) == (4, 2)
        assert "boot 7, counter 8, before" in troth(verb)
    page = TestClient(pages(at.store, house.duties(), house.POLICY, clock=at.clock))
    assert "boot 7, counter 8 <" in page.get(f"/devices/{at.board.name}").text


@pytest.mark.parametrize("counter", [9, 3], ids=["that counted", "that came late"])
def test_offline_a_report_is_judged_as_it_was_when_it_came(at: House, counter: int) -> None:
    old = at.handle()
    at.clock.now += PERIOD
    at.report(at.board.bundle(old, counter=9))
    at.clock.now += 2 * PERIOD
    at.report(at.board.bundle(old, counter=3))
    row = next(row for row in at.store.evidences(at.device) if row.counter == counter)
    opinion = verify_bytes(
        at.store,
        house.POLICY,
        house.duties(),
        row.raw,
        now=row.received,
        nonce=bytes.fromhex(row.session),
    )
    assert (opinion.state, opinion.fresh) == (row.state, True)
