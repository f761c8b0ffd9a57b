"""The agent's MQTT client: what it writes, and what it makes of a broker that means it no good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import agent_support  # noqa: F401
from troth_agent import Trouble
from troth_agent.link import connection, mqtt

CONNACK = b"\x20\x02\x00\x00"
HANDLE = b"troth/v1/epoch"
OWN = b"troth/v1/d/02aa/challenge"


class Wire:
    """A TLS stream whose far end has said all that it will ever say."""

    def __init__(self, said: bytes) -> None:
        self.said, self.heard, self.most = said, b"", 0

    def read(self, size: int) -> bytes:
        self.most = max(self.most, size)
        part, self.said = self.said[:size], self.said[size:]
        return part

    def write(self, part: bytes) -> None:
        self.heard += part

    def close(self) -> None:
        pass


def client(said: bytes, password: str | None = None) -> tuple[Any, Wire]:
    wire = Wire(said)

    def dial(self: Any, url: str, context: Any) -> None:
        self.url, self._stream, self._raw = url, wire, wire

    init = connection.Connection.__init__
    connection.Connection.__init__ = dial
    try:
        return mqtt.Client("mqtts://broker", None, "02aa", password, 60), wire
    finally:
        connection.Connection.__init__ = init


def published(topic: bytes, body: bytes, *, packet: int = 0, retained: bool = False) -> bytes:
    numbered = packet.to_bytes(2, "big") if packet else b""
    said = len(topic).to_bytes(2, "big") + topic + numbered + body
    size = bytes([len(said)]) if len(said) < 128 else bytes([len(said) & 127 | 128, len(said) >> 7])
    return bytes([0x30 | (2 if packet else 0) | retained]) + size + said


def test_it_greets_the_broker_with_a_clean_session_and_its_own_name() -> None:
    talking, wire = client(CONNACK)
    assert wire.heard == b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x0402aa"
    assert talking.url == "mqtts://broker:8883"


def test_a_password_goes_with_the_name() -> None:
    _, wire = client(CONNACK, "s3cret")
    assert wire.heard.endswith(b"\x04\xc2\x00\x3c\x00\x0402aa\x00\x0402aa\x00\x06s3cret")


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
    with pytest.raises(Trouble) as trouble:
        client(bytes((0x20, 2, 0, code)), "s3cret")
    assert trouble.value.code == "mqtt.refused"
    assert why in trouble.value.text
    assert "s3cret" not in trouble.value.text


def test_it_subscribes_publishes_and_hears() -> None:
    suback = b"\x90\x04\x00\x01\x01\x01"
    puback = b"\x40\x02\x00\x02"
    talking, wire = client(
        CONNACK
        + published(HANDLE, b"handle", retained=True)  # a broker may send it before it has answered
        + suback
        + published(OWN, b"early", packet=7)
        + puback
    )
    wire.heard = b""
    talking.subscribe(OWN, HANDLE)
    assert wire.heard == (b"\x82\x2f\x00\x01\x00\x19" + OWN + b"\x01\x00\x0e" + HANDLE + b"\x01")
    wire.heard = b""
    talking.publish(b"t", b"x" * 200)
    assert wire.heard == b"\x32\xcd\x01\x00\x01t\x00\x02" + b"x" * 200 + b"\x40\x02\x00\x07"
    assert talking.receive(OWN, HANDLE) == (OWN, b"early")
    assert talking.receive(OWN, HANDLE) == (HANDLE, b"handle")


def test_of_a_topic_the_newest_message_counts_and_other_topics_do_not() -> None:
    suback = b"\x90\x03\x00\x01\x01"
    messages = published(b"$SYS/x", b"?") + published(OWN, b"a") + published(OWN, b"b")
    talking, _ = client(CONNACK + suback + messages + b"\xd0\x00")
    talking.subscribe(OWN)
    talking.ping()
    assert talking.receive(OWN) == (OWN, b"b")


def test_a_challenge_that_a_broker_kept_is_no_challenge() -> None:
    suback = b"\x90\x03\x00\x01\x01"
    talking, _ = client(CONNACK + suback + published(OWN, b"old", retained=True))
    talking.subscribe(OWN)
    with pytest.raises(Trouble) as trouble:
        talking.receive(OWN)
    assert trouble.value.code == "mqtt.silent"


def asked(said: bytes) -> Callable[[], Any]:
    def ask() -> None:
        talking, _ = client(CONNACK + said)
        talking.subscribe(OWN)
        talking.publish(b"t", b"x")
        talking.receive(OWN)

    return ask


SUBACK, PUBACK = b"\x90\x03\x00\x01\x01", b"\x40\x02\x00\x02"


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        (b"", "mqtt.silent", "fell silent"),
        (b"\x90", "mqtt.silent", "fell silent"),
        (b"\x90\x03\x00", "mqtt.silent", "fell silent"),
        (b"\x90\x03\x00\x01\x80", "mqtt.refused", "its own topics"),
        (b"\x90\x02\x00\x01", "mqtt.refused", "its own topics"),
        (b"\x90\x03\x00\x02\x01", "mqtt.packet", "another packet id"),
        (b"\x90\x00", "mqtt.packet", "another packet id"),
        (b"\x90\xff\x7f", "mqtt.packet", "more than 1024"),
        (b"\x90\x80\x80\x00", "mqtt.packet", "more than 1024"),
        (b"\x90\xff\xff\xff\xff\xff", "mqtt.packet", "more than 1024"),
        (SUBACK + b"\x40\x02\x00\x09", "mqtt.packet", "another packet id"),
        (SUBACK + b"\x20\x02\x00\x00", "mqtt.packet", "nobody asked"),
        (SUBACK + b"\x34\x05\x00\x01a\x00\x01", "mqtt.packet", "nobody asked"),
        (SUBACK + b"\x30\x00", "mqtt.packet", "nobody asked"),
        (SUBACK + b"\x30\x02\xff\xff", "mqtt.packet", "nobody asked"),
        (SUBACK + b"\x32\x03\x00\x01a", "mqtt.packet", "nobody asked"),
        (SUBACK + PUBACK + published(b"other", b"") * 99, "mqtt.packet", "too many"),
        (published(b"other", b"") * 99, "mqtt.packet", "too many"),
    ],
)
def test_a_broker_that_does_not_keep_to_mqtt_is_told_of(said: bytes, code: str, text: str) -> None:
    with pytest.raises(Trouble) as trouble:
        asked(said)()
    assert trouble.value.code == code
    assert text in trouble.value.text


@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from((SUBACK, PUBACK, b"\xd0\x00")) | st.binary(max_size=40)).map(
        b"".join
    )
)
@example(SUBACK + PUBACK + published(OWN, b"x" * 990, packet=1))
def test_any_bytes_end_in_a_message_or_in_trouble_within_bounds(said: bytes) -> None:
    talking, wire = client(CONNACK + said)
    with suppress(Trouble):
        talking.subscribe(OWN)
        talking.publish(b"t", b"x")
        topic, body = talking.receive(OWN)
        assert topic == OWN
        assert len(body) < 1024
    assert wire.most <= 1024
