"""The spool, and a board that was away: what stays, what makes room, and who lets it go."""

import errno
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_support import MAC, FakeBoard, plug_in
from troth_agent import Trouble, decode, loop
from troth_agent.link import ACCEPTED, LATE, REFUSED, WANTED, connection
from troth_agent.spool import CHANGE, FIRST, ROUTINE, Spool

UEID = b"\x02" + MAC
KEY = ec.generate_private_key(ec.SECP256R1())
HEADER = bytes.fromhex("a201261019fdea")


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def receipt(digests: list[bytes], ueid: bytes = UEID, key: Any = KEY) -> bytes:
    payload = cbor2.dumps({6: 1790000000, 256: ueid, -80003: digests})
    structure = cbor2.dumps(["Signature1", HEADER, b"", payload])
    r, s = decode_dss_signature(key.sign(structure, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return cbor2.dumps(cbor2.CBORTag(18, [HEADER, {}, payload, signature]))


# --- the ring ---------------------------------------------------------------------------------

A, B = sha256(b"a").digest(), sha256(b"b").digest()


def put(spool: Spool, digest: bytes, evidence: bytes) -> str:
    kind = spool.kind(digest)
    spool.put(evidence, kind, digest)
    return str(kind)


def kept(spool: Spool) -> list[bytes]:
    return [spool.read(name) for name in spool.names()]


def test_an_empty_spool_is_no_folder(tmp_path: Path) -> None:
    assert Spool(str(tmp_path)).names() == []
    assert not list(tmp_path.iterdir())


def test_first_then_changes_then_routine(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    states = [A, A, B, B, A]
    kinds = [put(spool, state, b"%d" % i) for i, state in enumerate(states)]
    assert kinds == [FIRST, ROUTINE, CHANGE, ROUTINE, CHANGE]
    assert kept(spool) == [b"0", b"1", b"2", b"3", b"4"]
    assert spool.dropped() == 0


def test_routine_reports_make_room_and_are_counted(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for i in range(400):
        put(spool, B if i in (300, 301) else A, b"%d" % i)
    said = [int(each) for each in kept(spool)]
    assert len(said) == 24
    assert said[:3] == [0, 300, 302]
    assert said[3:] == list(range(379, 400))
    assert spool.dropped() == 376


def test_changes_beyond_the_ring_drop_the_oldest_change_and_never_the_first(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    for i in range(60):
        put(spool, A if i % 2 else B, b"%d" % i)
    assert [int(each) for each in kept(spool)] == [0, *range(37, 60)]


@settings(max_examples=25, deadline=None)  # it writes files
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(200, 4096)), max_size=60))
def test_first_newest_and_bounds_hold_whatever_comes(
    tmp_path_factory: pytest.TempPathFactory, reports: list[tuple[int, int]]
) -> None:
    spool = Spool(str(tmp_path_factory.mktemp("spool")))
    for i, (state, size) in enumerate(reports):
        put(spool, sha256(b"%d" % state).digest(), (b"%04d" % i).ljust(size, b"."))
        if i % 5 and i + 1 < len(reports):
            continue
        said = kept(spool)
        assert len(said) <= 24
        assert sum(map(len, said)) <= 20_000
        assert said == sorted(said)
        assert (said[0][:4], said[-1][:4]) == (b"0000", b"%04d" % i)
        assert spool.dropped() == i + 1 - len(said)


def test_a_full_flash_costs_old_routine_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(str(tmp_path))
    for i in range(6):
        put(spool, A, b"%d" % i)
    real = spool._write

    def full(name: str, data: bytes) -> None:
        if len(spool.names()) > 4:
            raise OSError(errno.ENOSPC, "no space")
        real(name, data)

    monkeypatch.setattr(spool, "_write", full)
    put(spool, A, b"6")
    assert kept(spool) == [b"0", b"3", b"4", b"5", b"6"]


def test_another_fault_of_the_flash_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(str(tmp_path))
    for i in range(6):
        put(spool, A, b"%d" % i)

    def broken(name: str, data: bytes) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(spool, "_write", broken)
    with pytest.raises(OSError, match="broken"):
        put(spool, A, b"6")
    assert len(kept(spool)) == 6


# --- a board that is away -----------------------------------------------------------------------


class Link:
    """A verifier in one object: what it takes, it has on disk, unless told otherwise."""

    why, rotate = "", None

    def __init__(self) -> None:
        self.up, self.challenged = True, 0
        self.disk: list[bytes] = []
        self.answers: dict[int, int] = {}
        self.forgets = False
        self.handle, self.issued = sha256(b"handle").digest(), 1790000000
        self.key = KEY
        self.tls, self.closed, self.fails = 13, 0, 0

    def open(self, settings: Any, context: Any, ueid: bytes) -> Iterator[int]:
        assert ueid == UEID
        yield 5
        if not self.up:
            raise OSError(errno.ECONNREFUSED)
        return self

    def challenge(self) -> Iterator[int]:
        self.challenged += 1
        yield 5
        return sha256(b"nonce %d" % self.challenged).digest()

    def epoch(self) -> Iterator[int]:
        yield 5
        said = {4: self.issued + 1800, 6: self.issued, 10: self.handle}
        return cbor2.dumps(said, canonical=True)

    def deliver(self, evidence: bytes) -> Iterator[int]:
        yield 5
        if self.fails:
            self.fails -= 1
            raise OSError(errno.ECONNRESET)
        answer = self.answers.get(len(evidence), ACCEPTED)
        if answer in (ACCEPTED, LATE):
            self.disk.append(evidence)
        return answer

    def receipt(self, digests: list[bytes]) -> Iterator[int]:
        yield 5
        known = [] if self.forgets else [sha256(each).digest() for each in self.disk]
        return receipt([each for each in digests if each in known], key=self.key)

    def tls_version(self) -> int:
        return self.tls

    def close(self) -> None:
        self.closed += 1


class Board:
    """What the agent asks of a board, and its one state."""

    def __init__(self, root: Path, **chosen: Any) -> None:
        self.root, self.state, self.tokens = str(root), b"state 0", 0
        self.settings = {"url": "https://x", "scheme": "https", "interval_s": 60, **chosen}

    def ca(self) -> bytes:
        return b""

    def steps(self) -> Iterator[int]:
        yield 0
        return self.state

    def session(self) -> dict[int, Any]:
        self.tokens += 1
        return {256: UEID, 261: 1, 267: 1, 268: bytes(8), -80002: self.tokens}


class Key:
    """Signs at once: what it signs is looked at elsewhere."""

    alg, kid = -7, bytes(8)

    def sign(self, structure: bytes) -> bytes:
        return sha256(structure).digest() * 2


class Place:
    """Board, agent and verifier; time passes only when somebody waits."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **chosen: Any) -> None:
        plug_in(FakeBoard()).nvs["troth", "tls"] = 13
        self.link, self.board = Link(), Board(tmp_path, **chosen)
        self.spool, self.now = Spool(str(tmp_path)), 0
        self.begin()
        monkeypatch.setattr("gc.collect", lambda: 0)  # a board's heap is small
        monkeypatch.setattr(loop, "road", lambda settings: self.link)
        monkeypatch.setattr(connection, "trust", lambda ca: None)
        monkeypatch.setattr(time, "ticks_ms", lambda: self.now)
        monkeypatch.setattr(time, "sleep_ms", self.sleep)

    def sleep(self, ms: int) -> None:
        self.now += ms

    def begin(self) -> None:
        """A start of the board: the agent knows nothing but what flash has."""
        self.begun, self.steps = 0, loop.rounds(self.look, Key)
        next(self.steps)  # as far as into the first round

    def look(self) -> Board:
        self.begun += 1
        return self.board

    def report(self, times: int = 1) -> None:
        """To the end of so many rounds, and into the next one."""
        end = self.begun + times
        while self.begun < end:
            self.sleep(next(self.steps))

    def delivered(self) -> list[tuple[int, bytes]]:
        """Counter and nonce of what the verifier has on disk, in the order in which it came."""
        return [(said[-80002], said[10]) for said in map(claims, self.link.disk)]


def claims(evidence: bytes) -> dict[int, Any]:
    """What a token says."""
    outer = cbor2.loads(evidence)
    sign1 = cbor2.loads(outer.value[0]).value if outer.tag == 602 else outer
    said: dict[int, Any] = cbor2.loads(sign1.value[2])
    return said


CHOSEN = {"spool": True, "receipt_key": point(KEY)}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch, **CHOSEN)


def test_online_nothing_is_written_but_the_handle(place: Place) -> None:
    place.report(5)
    assert [counter for counter, _ in place.delivered()] == [1, 2, 3, 4, 5]
    assert place.link.challenged == 5
    assert place.spool.names() == []
    assert os.listdir(place.board.root + "/.troth-spool") == ["epoch"]
    assert place.link.closed == 5


def test_a_damaged_handle_is_written_anew(place: Place) -> None:
    place.report()
    place.spool.keep_epoch(b"damaged")
    place.report()
    assert decode.epoch(place.spool.epoch())[0] == place.link.handle


def test_a_full_flash_keeps_no_board_from_reporting(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(spool: Spool, name: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Spool, "_write", full)
    place.report(2)
    assert len(place.link.disk) == 2
    place.link.up = False
    place.report(2)
    assert "[link.io]" in capsys.readouterr().out
    place.link.up = True
    place.report()
    assert len(place.link.disk) == 3


def test_offline_reports_answer_the_last_handle_and_go_out_in_order(place: Place) -> None:
    place.report()
    place.link.up = False
    place.report(3)
    place.board.state = b"state 1"
    place.report(40)
    place.link.up = True
    waiting = len(place.spool.names())
    assert waiting > 3
    place.report()
    said = place.delivered()
    assert [counter for counter, _ in said] == sorted(counter for counter, _ in said)
    assert [nonce == place.link.handle for _, nonce in said] == [False, *[True] * waiting, False]
    assert place.spool.names() == []


def test_a_routine_report_is_written_once_in_a_quarter_of_an_hour(place: Place) -> None:
    place.report()
    place.link.up = False
    start = place.now
    place.report(200)
    hours = (place.now - start) / 3_600_000
    assert len(place.spool.names()) + place.spool.dropped() <= 4 * hours + 2


def test_a_start_without_network_has_the_handle_of_the_last_one(place: Place) -> None:
    place.report()
    place.link.up = False
    place.begin()
    place.report()
    assert len(place.spool.names()) == 1


def test_a_board_that_never_had_a_handle_keeps_trying(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.link.up = False
    place.report(3)
    assert place.spool.names() == []
    assert "[link.io]" in capsys.readouterr().out


def test_what_no_receipt_names_stays(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    place.report()
    place.link.forgets = True
    place.report(2)
    assert "[receipt.missing]" in capsys.readouterr().out
    waiting = len(place.spool.names())
    assert waiting
    place.link.forgets = False
    place.report()
    assert place.spool.names() == []


def test_a_receipt_of_a_stranger_frees_nothing(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.report()
    place.link.key = ec.generate_private_key(ec.SECP256R1())
    place.report(3)
    assert "[receipt.bad]" in capsys.readouterr().out
    assert len(place.spool.names()) == 1
    place.link.key = KEY
    place.report()
    assert place.spool.names() == []


def test_a_refused_report_stays_and_is_not_offered_again(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.report()
    place.link.up = False
    place.report()
    [name] = place.spool.names()
    size = len(place.spool.read(name))
    place.link.up, place.link.answers, place.link.why = True, {size: REFUSED}, "key.unknown"
    place.report(2)
    assert capsys.readouterr().out.count("[spool.refused] key.unknown") == 1
    [name] = place.spool.names()
    assert name[8] == ROUTINE
    assert len(place.link.disk) == 3  # the board's reports go on


def test_what_made_room_is_told_once_and_a_refused_report_leaves_no_gap(place: Place) -> None:
    def told() -> list[int]:
        return [said.get(-80004, 0) for said in map(claims, place.link.disk)]

    place.report()
    place.link.up = False
    place.report(150)
    dropped, first = place.spool.dropped(), place.spool.read(place.spool.names()[0])
    assert dropped > 0
    place.link.up, place.link.answers = True, {len(first): REFUSED}
    place.report(3)
    assert told()[-3:] == [dropped, 0, 0]
    assert len(place.spool.names()) == 1
    assert place.spool.dropped() == 0
    place.link.up = False
    place.report(2)
    place.link.up = True
    place.report()
    assert told()[-1] == 0


def test_one_that_the_verifier_stumbles_over_holds_up_nobody(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.report()
    place.link.up = False
    for i in range(3):
        place.board.state = b"state %d" % i
        place.report()
    stuck = place.spool.read(place.spool.names()[1])
    deliver, place.link.up, mended = place.link.deliver, True, [False]

    def stumble(evidence: bytes) -> Iterator[int]:
        if evidence == stuck and not mended[0]:
            yield 0
            raise Trouble("http.status", "the server answered 500")
        return (yield from deliver(evidence))

    monkeypatch.setattr(place.link, "deliver", stumble)
    place.report(3)
    assert len(place.spool.names()) == 1
    assert len(place.link.disk) == 1 + 2 + 3
    mended[0] = True
    place.report(2)
    assert place.spool.names() == []


def test_a_handle_that_is_not_the_verifiers_own_keeps_no_board_from_reporting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, monkeypatch, fresh="epoch")
    deliver = place.link.deliver

    def refuse(evidence: bytes) -> Iterator[int]:
        place.link.why = ""
        if claims(evidence)[10] != place.link.handle:
            return (yield from deliver(evidence))
        yield 5
        place.link.why = "nonce.unknown"
        return REFUSED

    monkeypatch.setattr(place.link, "deliver", refuse)
    place.report(2)
    assert place.link.challenged == 2
    assert [counter for counter, _ in place.delivered()] == [2, 4]


def test_a_late_report_is_history_and_is_let_go(place: Place) -> None:
    place.report()
    place.link.up = False
    place.report()
    size = len(place.spool.read(place.spool.names()[0]))
    place.link.up, place.link.answers = True, {size: LATE}
    place.report()
    assert place.spool.names() == []


def test_a_delivery_that_breaks_off_goes_on_where_it_was(place: Place) -> None:
    place.report()
    place.link.up = False
    for i in range(12):
        place.board.state = b"state %d" % i
        place.report()
    place.link.up, place.link.fails = True, 1
    place.report()
    assert len(place.spool.names()) == 12
    place.report()
    assert place.spool.names() == []
    said = [counter for counter, _ in place.delivered()]
    assert said == sorted(said)
    assert len(said) == 1 + 12 + 1


def test_another_version_of_tls_is_looked_up_anew(place: Place) -> None:
    place.link.tls = 12
    place.report()
    assert len(place.link.disk) == 1
    assert place.link.closed == 2


def test_reports_to_an_epoch_need_no_challenge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, monkeypatch, fresh="epoch")
    place.report(3)
    assert place.link.challenged == 0
    assert [nonce for _, nonce in place.delivered()] == [place.link.handle] * 3
    assert not list(tmp_path.iterdir())  # no spool was asked for


def test_an_unknown_set_follows_a_report_to_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path, monkeypatch, fresh="epoch")
    bare: list[int] = []
    deliver = place.link.deliver

    def asks(evidence: bytes) -> Iterator[int]:
        if cbor2.loads(evidence).tag == 18:
            bare.append(1)
            yield 0
            return WANTED
        return (yield from deliver(evidence))

    monkeypatch.setattr(place.link, "deliver", asks)
    place.report()
    assert (len(bare), len(place.link.disk)) == (1, 1)


@pytest.mark.parametrize("code", ["link.untrusted", "http.status", "link.cbor"])
def test_whatever_keeps_it_from_the_verifier_the_report_is_spooled(
    code: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.report()

    def fail(settings: Any, context: Any, ueid: bytes) -> Iterator[int]:
        yield 0
        raise Trouble(code, "x", 7000)

    monkeypatch.setattr(place.link, "open", fail)
    before = place.now
    place.report()
    assert len(place.spool.names()) == 1
    assert 3600_000 <= place.now - before <= 3603_000  # as asked, within bounds
