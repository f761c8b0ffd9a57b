"""Literal secrets: what counts, what does not, and the same answer as the agent's scan."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from troth.factory import secrets
from troth.factory.manifest import agent_tree

AGENT = Path(__file__).resolve().parents[1] / "agent" / "troth_agent" / "secrets.py"
PEM = b"-----BEGIN EC " + b"PRIVATE KEY-----\nMHcC"


@cache
def _agent() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agent_secrets", AGENT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(b"PASS = 'camera12'", "assigned", id="webrepl_cfg"),
        pytest.param(b'wifi_password="hunter22"', "assigned", id="assignment"),
        pytest.param(b'{"token": "abcd1234"}', "assigned", id="json"),
        pytest.param(b"cfg['psk'] = b'longenough'", "assigned", id="item"),
        pytest.param(b"wlan.connect('ssid', 'secret-key')", "wifi-key", id="connect"),
        pytest.param(b"ap.config(ssid='x', key='12345678')", "wifi-key", id="config"),
        pytest.param(PEM, "private-key", id="pem"),
    ],
)
def test_a_literal_secret_is_found(text: bytes, kind: str) -> None:
    (hit,) = secrets.scan_text(b"import os\n" + text, "/a.py")
    assert (hit.kind, hit.path, hit.line) == (kind, "/a.py", 2)


@pytest.mark.parametrize(
    "text",
    [
        b"password = input('password? ')",
        b"if password == 'x' * 8: pass",
        b"bypass = 'abcdefgh'",
        b"def connect(ssid, key): return key",
        b"sock.connect(('host', 8443))",
        b"-----BEGIN CERTIFICATE-----",
        b"token = ''",
        b"PASS = '123'",
    ],
)
def test_what_only_talks_of_secrets_is_none(text: bytes) -> None:
    assert secrets.scan_text(text) == ()


def test_our_own_agent_holds_none() -> None:
    assert secrets.scan_release(b"", agent_tree()) == ()


def test_strings_of_an_image_are_scanned() -> None:
    assert secrets.scan_image(bytes(9) + b"PASS = 'camera12'\0" + bytes(9))[0].path == "image"
    assert secrets.scan_image(bytes(range(256)) * 20) == ()


def test_tables_equal_the_agents() -> None:
    agent = _agent()
    assert [name.encode() for name in secrets.NAMES] == list(agent.NAMES)
    assert [call.encode() + b"(" for call in secrets.CALLS] == list(agent.CALLS)
    assert (secrets.MIN_VALUE, secrets.MIN_WIFI_KEY) == (agent.MIN_VALUE, agent.MIN_WIFI_KEY)


_PIECES = st.sampled_from(
    [name.encode() for name in secrets.NAMES]
    + [b"connect(", b"config(", b"key=", b"-----begin ", b"rsa ", b"private key-----", b"PASS"]
    + [b"'", b'"', b"=", b"==", b":", b" ", b"\t", b"]", b",", b"\n", b"b", b"x", b"_", b"9"]
    + [b"'abcd'", b'"abcdefgh"', b"= 'abcd'", b"'a','abcdefgh'", b"(", b")", b"-"]
)


@settings(max_examples=1000, deadline=None)
@given(st.lists(_PIECES, max_size=14).map(b"".join))
def test_both_scans_count_alike(text: bytes) -> None:
    scanner = _agent().Scanner()
    scanner.feed(text)
    assert len(secrets.scan_text(text)) == scanner.finish()
