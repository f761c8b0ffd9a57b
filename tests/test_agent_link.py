"""The agent's HTTPS link: whom it believes, what it sends, and how it fails and tries again."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

import agent_support  # noqa: F401
from agent_server import (
    BUNDLE,
    CWT,
    NONCE,
    Authority,
    Reply,
    Verifier,
    authority,
    complete,
    server_pem,
    serving,
    session,
    waiting,
)
from agent_support import FakeBoard, plug_in
from troth_agent import Trouble, board, identity, loop
from troth_agent.keys import soft
from troth_agent.link import http

SETTINGS = {
    "oemid": b"\x0a\x1b\x2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 4,
    "ca": "/ca.der",
    "scheme": "https",
}


@pytest.fixture(scope="module")
def ca() -> Authority:
    return authority()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBoard:
    monkeypatch.setattr("gc.collect", lambda: 0)  # a board's heap is small
    board = plug_in(FakeBoard())
    board.nvs["troth", "tls"] = 13  # as the last handshake had it
    return board


@pytest.fixture
def pem(ca: Authority, tmp_path: Path) -> Path:
    (tmp_path / "ca.der").write_bytes(ca.der)
    return server_pem(ca, tmp_path)


def board_of(verifier: Verifier, root: Path) -> Any:
    return board.Board(SETTINGS | {"url": verifier.url}, str(root))


def report(the_board: Any, key: Any, known: bytes | None = None) -> bytes:
    digest = loop.finish(loop.report(the_board, key, known))
    assert isinstance(digest, bytes)
    return digest


def test_an_unknown_set_is_sent_when_the_verifier_asks(
    fake: FakeBoard, pem: Path, tmp_path: Path
) -> None:
    with serving(pem, session(), waiting(), complete()) as verifier:
        digest = report(board_of(verifier, tmp_path), soft.create)
    paths = [request.path for request in verifier.requests]
    assert paths[0].startswith("/challenge-response/v1/newSession?nonceSize=32&ueid=027cdfa1000001")
    assert paths[1:] == ["/challenge-response/v1/session/abc"] * 2
    bare, bundle = verifier.requests[1:]
    assert (bare.kind, bundle.kind) == (CWT, BUNDLE)
    assert len(bare.body) <= 240
    assert cbor2.loads(bundle.body).value[0] == b"\xd8\x3d" + bare.body
    token = cbor2.loads(cbor2.loads(bare.body).value[2])
    assert token[10] == NONCE
    assert token[266]["cfg"][1] == digest
    assert verifier.connections == 1


def test_a_known_set_stays_at_home_and_a_changed_one_goes_at_once(
    fake: FakeBoard, pem: Path, tmp_path: Path
) -> None:
    replies = (session(), complete(), session(), complete(), session(), complete())
    with serving(pem, *replies) as verifier:
        known = None
        for change in ("", "", "import webrepl\n"):
            (tmp_path / "main.py").write_text(change)
            known = report(board_of(verifier, tmp_path), soft.create, known)
    kinds = [request.kind for request in verifier.requests if request.body]
    assert kinds == [CWT, CWT, BUNDLE]


def test_the_handshake_is_told_and_remembered(fake: FakeBoard, pem: Path, tmp_path: Path) -> None:
    fake.nvs.clear()
    with serving(pem, session(), session(), waiting(), complete()) as verifier:
        report(board_of(verifier, tmp_path), soft.create)
    said = cbor2.loads(cbor2.loads(verifier.requests[3].body).value[1]["cfg"])[-80001]
    assert said[23] == "1.3"
    assert fake.nvs["troth", "tls"] == 13
    assert verifier.connections == 2  # the first one only told the version


@pytest.mark.parametrize(
    ("address", "stranger", "expired", "why"),
    [
        ("127.0.0.1", True, False, "signature failure"),
        ("127.0.0.2", False, False, "IP address mismatch"),
        ("127.0.0.1", False, True, "expired"),
    ],
    ids=["ca", "name", "expired"],
)
def test_a_server_that_the_pinned_ca_does_not_vouch_for_hears_nothing(
    address: str,
    stranger: bool,
    expired: bool,
    why: str,
    fake: FakeBoard,
    ca: Authority,
    tmp_path: Path,
) -> None:
    (tmp_path / "ca.der").write_bytes(ca.der)
    pem = server_pem(authority() if stranger else ca, tmp_path, address, expired=expired)
    with serving(pem, session()) as verifier, pytest.raises(Trouble) as trouble:
        report(board_of(verifier, tmp_path), soft.create)
    assert trouble.value.code == "link.untrusted"
    assert why in trouble.value.text
    assert not verifier.requests


def test_a_file_that_is_no_certificate_is_told(fake: FakeBoard, pem: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.der").write_bytes(b"not a certificate")
    with serving(pem, session()) as verifier, pytest.raises(Trouble) as trouble:
        report(board_of(verifier, tmp_path), soft.create)
    assert trouble.value.code == "link.ca"


def test_no_server_is_an_os_error(fake: FakeBoard, pem: Path, tmp_path: Path) -> None:
    with serving(pem, session()) as verifier:
        pass
    with pytest.raises(OSError, match="refused"):
        report(board_of(verifier, tmp_path), soft.create)


PROBLEM = Reply(503, b'{"code":"store.unavailable","title":"no"}')
LONG = b"HTTP/1.1 201 x\r\nX: " + b"y" * 600 + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("replies", "code", "text"),
    [
        ([PROBLEM], "http.status", "newSession answered 503 (store.unavailable)"),
        ([Reply(201, b"{}")], "http.status", "newSession answered 201"),
        ([Reply(201, b"[", {"Location": "x"})], "http.reply", "no nonce"),
        ([session("AAAA")], "http.reply", "no nonce of 32 bytes"),
        ([session(), Reply(404, b"")], "http.status", "the server answered 404"),
        ([session(), Reply(409, b'{"code":"nonce.spent"}')], "http.status", "409 (nonce.spent)"),
        ([session(), waiting(), waiting()], "link.reply", "still asks"),
        ([session(), Reply(200, b"{}")], "http.reply", "no status"),
        ([Reply(0, b"", raw=b"SSH-2.0-x\r\n")], "http.reply", "does not speak HTTP"),
        ([Reply(0, b"", raw=b"HTTP/1.1 201 x\r\n")], "http.reply", "broke off"),
        ([Reply(0, b"", raw=b"HTTP/1.1 201 x\r\n\r\n{}")], "http.reply", "no acceptable length"),
        ([Reply(0, b"", raw=LONG)], "http.reply", "too long a line"),
        ([Reply(0, b"", raw=b"HTTP/1.1 201 x\r\n" + b"A: b\r\n" * 99)], "http.reply", "headers"),
        (
            [Reply(0, b"", raw=b"HTTP/1.1 201 x\r\nContent-Length: 99999\r\n\r\n")],
            "http.reply",
            "no acceptable length",
        ),
        (
            [Reply(0, b"", raw=b"HTTP/1.1 201 x\r\nContent-Length: 99\r\n\r\n{")],
            "http.reply",
            "broke off",
        ),
    ],
)
def test_a_reply_that_is_no_answer_is_told_and_the_connection_closed(
    replies: list[Reply], code: str, text: str, fake: FakeBoard, pem: Path, tmp_path: Path
) -> None:
    with serving(pem, *replies) as verifier, pytest.raises(Trouble) as trouble:
        report(board_of(verifier, tmp_path), soft.create)
    assert trouble.value.code == code
    assert text in trouble.value.text


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://a.example", ("a.example", 443, "")),
        ("https://a.example:8443/", ("a.example", 8443, "")),
        ("https://a.example/troth/", ("a.example", 443, "/troth")),
    ],
)
def test_an_address_is_split(url: str, parts: tuple[str, int, str]) -> None:
    assert http._split(url) == parts


@pytest.mark.parametrize(("said", "wait_s"), [("7", 7), ("99999999999", 0), ("soon", 0), ("-5", 0)])
def test_a_server_may_ask_to_be_left_alone(
    said: str, wait_s: int, fake: FakeBoard, pem: Path, tmp_path: Path
) -> None:
    busy = Reply(429, b'{"code":"server.flood"}', {"Retry-After": said})
    with serving(pem, busy) as verifier, pytest.raises(Trouble) as trouble:
        report(board_of(verifier, tmp_path), soft.create)
    assert trouble.value.wait_s == wait_s
    assert "429 (server.flood)" in trouble.value.text


def test_and_is_for_an_hour_at_most(fake: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Day(monkeypatch, [Trouble("http.status", "x", asked) for asked in (0, 60, 10**6)])
    monkeypatch.setattr("os.urandom", lambda size: b"\0" * size)
    day.run()
    assert day.slept == [1000, 61_000, 3_601_000]


def test_an_interrupt_leaves_no_connection_open(
    fake: FakeBoard, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[int] = []
    monkeypatch.setattr(http.Link, "close", lambda _: closed.append(1))
    monkeypatch.setattr(loop, "sleep", lambda ms, feed: interrupt() if opened else None)
    opened: list[int] = []
    challenge = http.Link.challenge

    def interrupt() -> None:
        raise KeyboardInterrupt

    def asks(link: Any) -> Any:
        opened.append(1)
        return challenge(link)

    monkeypatch.setattr(http.Link, "challenge", asks)
    with serving(pem, session()) as verifier, pytest.raises(KeyboardInterrupt):
        report(board_of(verifier, tmp_path), soft.create)
    assert closed == [1]


class Day:
    """The loop with its clock and its reports in hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, outcomes: list[Any]) -> None:
        self.outcomes, self.slept = outcomes, []
        self.slept: list[int] = []
        self.known: list[Any] = []
        monkeypatch.setattr(loop, "report", self._report)
        monkeypatch.setattr(time, "sleep_ms", self._sleep)

    def _report(self, the_board: Any, key: Any, known: Any) -> Iterator[int]:
        self.known.append(known)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        yield 0
        return outcome

    def _sleep(self, ms: int) -> None:
        if not ms:
            return
        self.slept.append(ms)
        if not self.outcomes:
            raise KeyboardInterrupt

    def run(self) -> None:
        loop.run(lambda: board.Board(SETTINGS | {"url": "https://x"}), lambda: None, None)


def test_the_loop_reports_every_interval_and_remembers_the_set(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    day = Day(monkeypatch, [b"a", b"a", b"b"])
    day.run()
    assert day.slept == [4000, 4000, 4000]
    assert day.known == [None, b"a", b"a"]
    assert capsys.readouterr().out == "troth: stopped\n"


@pytest.mark.parametrize(("share", "within"), [(b"\0\0", 0.0), (b"\xff\xff", 1.0)])
def test_failures_are_told_and_waits_grow_at_random_up_to_a_bound(
    share: bytes,
    within: float,
    fake: FakeBoard,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failures: list[Callable[[], BaseException]] = [
        lambda: Trouble("http.status", "newSession answered 503"),
        lambda: OSError(111, "refused"),
        MemoryError,
        lambda: KeyError("a surprise"),
    ]
    monkeypatch.setattr("os.urandom", lambda size: share)
    day = Day(monkeypatch, [failures[i % 4]() for i in range(12)])
    day.run()
    bounds = [min(900, 2**n) * 1000 for n in range(1, 13)]
    for slept, bound in zip(day.slept, bounds, strict=True):
        assert 1000 <= slept <= bound
        assert slept == pytest.approx(1000 + within * (bound - 1000), rel=0.001)
    out = capsys.readouterr().out
    assert "troth: [http.status] newSession answered 503\n" in out
    assert "troth: [link.io] errno 111\n" in out
    assert "troth: [board.memory] out of memory\n" in out
    assert "troth: [agent.error] KeyError\n" in out


def test_one_success_ends_the_growth(fake: FakeBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    day = Day(monkeypatch, [OSError(1), OSError(1), b"a", OSError(1)])
    monkeypatch.setattr("os.urandom", lambda size: b"\xff" * size)
    day.run()
    assert [ms // 1000 for ms in day.slept] == [1, 3, 4, 1]


@pytest.mark.parametrize("code", ["settings.missing", "link.none", "key.missing"])
def test_a_board_that_nobody_provisioned_goes_to_its_prompt(
    code: str, fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = Day(monkeypatch, [Trouble(code, "x"), b"a"])
    day.run()
    assert len(day.outcomes) == 1


def test_a_sealed_board_never_leaves_the_loop(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Enough(BaseException):
        pass

    monkeypatch.setattr(identity, "sealed", lambda: True)
    outcomes = [Trouble("settings.missing", "x"), KeyboardInterrupt(), b"a", Enough()]
    day = Day(monkeypatch, outcomes)
    with pytest.raises(Enough):
        day.run()
    assert len(day.slept) == 2


def test_a_board_without_a_server_address_says_so(fake: FakeBoard, tmp_path: Path) -> None:
    with pytest.raises(Trouble) as trouble:
        report(board.Board(SETTINGS | {"url": None, "scheme": None}, str(tmp_path)), None)
    assert trouble.value.code == "link.none"


def test_a_server_that_never_keeps_its_version_of_tls_is_told_of(
    fake: FakeBoard, pem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter((12, 13, 12, 13))
    monkeypatch.setattr(http.Link, "tls_version", lambda _: next(versions))
    with serving(pem, session()) as verifier, pytest.raises(Trouble) as trouble:
        report(board_of(verifier, tmp_path), soft.create)
    assert trouble.value.code == "link.tls"
    assert not any(request.body for request in verifier.requests)
