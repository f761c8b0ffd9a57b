"""The agent's link over MQTT: what it writes, and what it makes of a broker that means no good."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import agent_support  # noqa: F401
from troth_agent import Trouble
from troth_agent.link import ACCEPTED, connection, mqtt

CONNACK = b"\x20\x02\x00\x00"
SUBACK, PUBACK = b"\x90\x05\x00\x01\x00\x00\x00", b"\x40\x02\x00\x02"
HANDLE = b"troth/v1/epoch"
CHALLENGE = b"troth/v1/d/02aa/challenge"
ANSWER = b"troth/v1/d/02aa/answer"
RECEIPT = b"troth/v1/d/02aa/receipt"
DRAWN = b"\xa2\x04\x1a\x6a\x00\x00\x00\x0a\x58\x20" + bytes(32)


class Wire:
    """A TLS stream whose far end has said all that it will ever say; then it ends or is silent."""

    def __init__(self, said: bytes, silent: bool) -> None:
        self.said, self.silent, self.heard, self.most = said, silent, b"", 0

    def read(self, size: int) -> bytes | None:
        self.most = max(self.most, size)
        part, self.said = self.said[:size], self.said[size:]
        return None if self.silent and not part else part

    def write(self, part: bytes) -> int:
        self.heard += part
        return len(part)

    def close(self) -> None:
        pass


def drive(steps: Generator[int, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def link(said: bytes, *, silent: bool = False) -> tuple[Any, Wire]:
    wire = Wire(said, silent)
    return mqtt.Link((wire, wire), b"02aa"), wire


def greeted(said: bytes, password: str | None = None, **kind: bool) -> tuple[Any, Wire]:
    talking, wire = link(CONNACK + SUBACK + said, **kind)
    drive(meet(talking, password))
    return talking, wire


def meet(talking: Any, password: str | None = None) -> Generator[int, None, None]:
    """As open() does."""
    yield from talking.greet(None, password)
    yield from talking.subscribe(*[talking.own(name) for name in mqtt._HEARD])


def published(topic: bytes, body: bytes, *, retained: bool = False) -> bytes:
    said = len(topic).to_bytes(2, "big") + topic + body
    size = bytes([len(said)]) if len(said) < 128 else bytes([len(said) & 127 | 128, len(said) >> 7])
    return bytes([0x30 | retained]) + size + said


def test_it_greets_the_broker_with_a_clean_session_and_its_own_name() -> None:
    _, wire = greeted(b"")
    assert wire.heard == b"\x10\x10\x00\x04MQTT\x04\x02\x00\x78\x00\x0402aa" + (
        b"\x82\x51\x00\x01\x00\x19troth/v1/d/02aa/challenge\x00"
        b"\x00\x16troth/v1/d/02aa/answer\x00\x00\x17troth/v1/d/02aa/receipt\x00"
    )


def test_a_password_goes_with_the_name() -> None:
    _, wire = greeted(b"", "s3cret")
    assert wire.heard.startswith(
        b"\x10\x1e\x00\x04MQTT\x04\xc2\x00\x78\x00\x0402aa\x00\x0402aa\x00\x06s3cret"
    )


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (1, "version"),
        (2, "client id"),
        (3, "unavailable"),
        (4, "password"),
        (5, "may not"),
        (9, "9"),
    ],
)
def test_a_refusal_is_told_without_the_password(code: int, why: str) -> None:
    talking, _ = link(bytes((0x20, 2, 0, code)))
    with pytest.raises(Trouble) as trouble:
        drive(meet(talking, "s3cret"))
    assert trouble.value.code == "mqtt.refused"
    assert why in trouble.value.text
    assert "s3cret" not in trouble.value.text


def test_a_challenge_is_heard_even_before_the_broker_has_taken_the_question() -> None:
    talking, wire = greeted(published(CHALLENGE, DRAWN) + PUBACK)
    wire.heard = b""
    assert drive(talking.challenge()) == bytes(32)
    assert wire.heard == b"\x32\x17\x00\x13troth/v1/d/02aa/ask\x00\x02"


def test_digests_are_asked_for_and_a_receipt_is_handed_on_as_it_came() -> None:
    talking, wire = greeted(PUBACK + published(RECEIPT, b"receipt"))
    assert drive(talking.receipt([b"a" * 32, b"b" * 32])) == b"receipt"
    assert wire.heard.endswith(b"ask\x00\x02" + b"a" * 32 + b"b" * 32)


def test_an_answer_to_another_report_is_not_taken_for_the_answer_to_this_one() -> None:
    evidence = b"\xd2" + b"x" * 200
    other = published(ANSWER, bytes(32) + b"\xa1\x66status\x02")
    said = published(ANSWER, hashlib.sha256(evidence).digest() + b"\xa1\x66status\x00")
    talking, wire = greeted(other + PUBACK + other + said)
    assert drive(talking.deliver(evidence)) == ACCEPTED
    assert b"\x32\xe5\x01\x00\x18troth/v1/d/02aa/evidence\x00\x02" + evidence in wire.heard


def test_the_handle_may_come_before_the_broker_has_said_yes_and_is_asked_for_once() -> None:
    suback = b"\x90\x03\x00\x02\x00"
    talking, wire = greeted(published(HANDLE, b"old", retained=True) + suback + b"!")
    assert drive(talking.epoch()) == b"old"
    assert wire.said == b"!"


def test_other_messages_that_a_broker_kept_are_old_ones() -> None:
    talking, _ = greeted(PUBACK + published(CHALLENGE, DRAWN, retained=True))
    with pytest.raises(OSError, match="104"):
        drive(talking.challenge())


def test_it_takes_leave_of_a_broker_that_knows_it() -> None:
    talking, wire = greeted(b"")
    talking.close()
    assert wire.heard.endswith(b"\xe0\x00")
    talking, wire = link(b"")
    talking.close()
    assert wire.heard == b""


@pytest.mark.parametrize(("pong", "error"), [(b"\xd0\x00", Trouble), (b"", OSError)])
def test_whose_silence_it_is_is_found_out(
    pong: bytes, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_TIMEOUT_MS", 20)
    talking, wire = greeted(PUBACK, silent=True)

    class Pong(Wire):
        def write(self, part: bytes) -> int:
            self.said += pong if part == b"\xc0\x00" else b""
            return super().write(part)

    wire.__class__ = Pong
    with pytest.raises(error) as caught:
        drive(talking.challenge())
    if error is Trouble:
        assert caught.value.code == "mqtt.silent"


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        (b"\x40\x02\x00\x09", "mqtt.packet", "another packet id"),
        (b"\x40\x00", "mqtt.packet", "another packet id"),
        (b"\x40\xff\x7f", "mqtt.packet", "more than 1024"),
        (b"\x40\x80\x80\x00", "mqtt.packet", "more than 1024"),
        (b"\x40\xff\xff\xff\xff\xff", "mqtt.packet", "more than 1024"),
        (CONNACK, "mqtt.packet", "nobody asked"),
        (b"\x32\x05\x00\x01a\x00\x01", "mqtt.packet", "nobody asked"),
        (b"\x38\x03\x00\x01a", "mqtt.packet", "nobody asked"),
        (b"\x30\x00", "mqtt.packet", "nobody asked"),
        (b"\x30\x02\x00\x00", "mqtt.packet", "nobody asked"),
        (b"\x30\x02\xff\xff", "mqtt.packet", "nobody asked"),
        (PUBACK + published(b"other", b"") * 99, "mqtt.packet", "too many"),
        (PUBACK + published(CHALLENGE, DRAWN[:-1]), "mqtt.reply", "no challenge"),
        (published(b"other", b"") * 99, "mqtt.packet", "too many"),
    ],
)
def test_a_broker_that_does_not_keep_to_mqtt_is_told_of(said: bytes, code: str, text: str) -> None:
    talking, _ = greeted(said)
    with pytest.raises(Trouble) as trouble:
        drive(talking.challenge())
    assert trouble.value.code == code
    assert text in trouble.value.text


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (CONNACK + b"\x90\x05\x00\x01\x00\x80\x00", "mqtt.refused"),
        (CONNACK + b"\x90\x03\x00\x01\x00", "mqtt.refused"),
        (b"\x20\x03\x00\x00\x00", "mqtt.packet"),
        (b"HTTP/1.1 400 Bad Request" + bytes(99), "mqtt.packet"),
    ],
)
def test_who_does_not_greet_back_as_asked_is_left(said: bytes, code: str) -> None:
    talking, _ = link(said)
    with pytest.raises(Trouble) as trouble:
        drive(meet(talking))
    assert trouble.value.code == code


@given(
    st.lists(st.sampled_from((PUBACK, published(CHALLENGE, DRAWN))) | st.binary(max_size=40)).map(
        b"".join
    )
)
@example(PUBACK + published(CHALLENGE, b"x" * 990))
def test_any_bytes_end_in_a_challenge_or_in_trouble_within_bounds(said: bytes) -> None:
    talking, wire = greeted(said)
    with suppress(Trouble, OSError):
        assert drive(talking.challenge()) == bytes(32)
    assert wire.most <= 1024
