"""The code digest and the scan for literal secrets."""

import hashlib
from pathlib import Path
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

import agent_support
from troth_agent import files, secrets


def tree(root: Path, *paths: str) -> None:
    for path in paths:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"# {path}\n")


def manifest(root: Path, *paths: str) -> bytes:
    """The CDDL's `manifest`, by an independent writer, in bytewise order of the keys."""
    rows = {
        cbor2.dumps(path): cbor2.dumps(hashlib.sha256((root / path[1:]).read_bytes()).digest())
        for path in paths
    }
    assert len(rows) < 24
    body = b"".join(key + rows[key] for key in sorted(rows))
    return hashlib.sha256(bytes([0xA0 | len(rows)]) + body).digest()


def survey(root: Path, agent: str = "/lib/troth_agent") -> dict[str, Any]:
    said: dict[str, Any]
    said, secret_hits = agent_support.finish(files.survey(str(root), agent))
    return agent_support.named(said) | {"secrets": secret_hits}


def count(text: bytes) -> int:
    scanner = secrets.Scanner()
    scanner.feed(text)
    hits: int = scanner.finish()
    return hits


def code(root: Path) -> bytes:
    digest: bytes = survey(root)["code_digest"]
    return digest


def test_the_code_digest_is_the_manifest_of_what_can_execute(tmp_path: Path) -> None:
    paths = ["/boot.py", "/main.py", "/lib/a.mpy", "/lib/a-name-of-more-than-23-bytes.py"]
    tree(tmp_path, *paths, "/troth.json", "/data/log.txt", "/www/index.html", "/troth-ca.der")
    assert code(tmp_path) == manifest(tmp_path, *paths)


def test_an_empty_tree_has_the_digest_of_the_empty_map(tmp_path: Path) -> None:
    assert code(tmp_path) == hashlib.sha256(b"\xa0").digest()


def test_data_files_may_change_and_code_may_not(tmp_path: Path) -> None:
    tree(tmp_path, "/main.py", "/data/log.txt")
    before = code(tmp_path)
    (tmp_path / "data/log.txt").write_text("one line more")
    assert code(tmp_path) == before
    (tmp_path / "main.py").write_text("x = 1")
    assert code(tmp_path) != before


SECRET = "PRIVATE"  # so that nobody takes this file for a key


@pytest.mark.parametrize("path", ["/extra.py", "/deep/er/and/deeper.mpy", "/data/log.py"])
def test_a_file_added_anywhere_is_seen(path: str, tmp_path: Path) -> None:
    tree(tmp_path, "/main.py")
    before = code(tmp_path)
    tree(tmp_path, path)
    assert code(tmp_path) != before


def test_the_agents_own_modules_have_a_digest_too(tmp_path: Path) -> None:
    ours = ["/lib/troth_agent/__init__.py", "/lib/troth_agent/link/http.py"]
    tree(tmp_path, "/main.py", "/lib/troth_agents.py", *ours)
    found = survey(tmp_path)
    assert found["agent_digest"] == manifest(tmp_path, *ours)
    assert found["code_digest"] == manifest(tmp_path, "/main.py", "/lib/troth_agents.py", *ours)


def test_a_frozen_agent_has_no_file_and_no_digest(tmp_path: Path) -> None:
    tree(tmp_path, "/main.py")
    assert "agent_digest" not in survey(tmp_path, "/troth_agent")


def test_secrets_are_counted_over_all_text_files(tmp_path: Path) -> None:
    tree(tmp_path, "/main.py", "/lib/x.mpy", "/blob.bin")
    (tmp_path / "webrepl_cfg.py").write_text("PASS = 'camera12'\n")
    (tmp_path / "wifi.json").write_text('{"ssid": "home", "password": "hunter22"}')
    (tmp_path / "blob.bin").write_text("password = 'not text'")
    assert survey(tmp_path)["secrets"] == 2


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/hashlib.py", ["hashlib"]),
        ("/lib/socket.mpy", ["socket"]),
        ("/lib/os/__init__.mpy", ["os"]),
        ("/ssl.py", ["ssl"]),
        ("/lib/ssl.mpy", []),  # the frozen one is found first
        ("/app/time.py", []),
        ("/lib/os/path.mpy", []),  # without a package of that name it is never looked for
        ("/esp32.py", []),
        ("/hashlib.txt", []),
        ("/timer.py", []),
    ],
)
def test_a_file_that_takes_the_place_of_a_built_in_module_is_named(
    path: str, found: list[str], tmp_path: Path
) -> None:
    tree(tmp_path, "/main.py", path)
    assert survey(tmp_path)["shadowed"] == found


def test_shadowed_modules_are_named_once_and_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "/time.py", "/json.py", "/lib/json.mpy")
    assert survey(tmp_path)["shadowed"] == ["json", "time"]


@pytest.mark.parametrize("path", ["/webrepl_cfg.py", "/lib/webrepl_cfg.mpy"])
def test_the_password_file_of_webrepl_is_seen(path: str, tmp_path: Path) -> None:
    assert not survey(tmp_path)["webrepl_cfg_present"]
    tree(tmp_path, path)
    assert survey(tmp_path)["webrepl_cfg_present"]


def test_no_step_reads_more_than_a_block(tmp_path: Path) -> None:
    (tmp_path / "main.mpy").write_bytes(bytes(5000))
    assert sum(1 for _ in files.survey(str(tmp_path), "/lib/troth_agent")) >= 5000 // 128


@pytest.mark.parametrize(
    "text",
    [
        "PASS = 'camera12'",
        'WIFI_PASSWORD="hunter22"',
        "api_key: 'abcd'",
        '{"password": "hunter22"}',
        "settings['token'] = 'abcdef'",
        "psk=b'12345678'",
        "wlan.connect('home', 'hunter22')",
        'wlan.connect("home", key="hunter22")',
        "ap.config(ssid='x', key='12345678')",
        f"-----BEGIN EC {SECRET} KEY-----",
        f"-----BEGIN {SECRET} KEY-----",
    ],
)
def test_a_literal_secret_is_one_hit(text: str) -> None:
    assert count(text.encode() + b"\n") == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "password = None",
        "password = read()",
        "password = ''",
        "if password == 'hunter22':",
        "bypass = 'hunter22'",
        "passed = 'hunter22'",
        "token_count = 'hunter22'",
        "    pass\n'hunter22'",
        "password = 'never\nclosed'",
        "wlan.connect(ssid, key)",
        "wlan.connect('home', 'short')",
        "ap.config('security')",
        "-----BEGIN PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----",
        'NAMES = (b"password", b"passwd", b"token")',
    ],
)
def test_what_only_looks_like_a_secret_is_no_hit(text: str) -> None:
    assert count(text.encode() + b"\n") == 0


def test_the_agents_own_source_has_no_hit() -> None:
    for path in agent_support.AGENT.glob("**/*.py"):
        assert count(path.read_bytes()) == 0, path


@given(st.binary(max_size=2000) | st.text(max_size=500).map(str.encode), st.integers(1, 700))
def test_any_bytes_count_and_blocks_make_no_difference(text: bytes, size: int) -> None:
    lines = b"\n".join(text[i : i + 200] for i in range(0, len(text), 200))
    scanner = secrets.Scanner()
    for at in range(0, len(lines), size):
        scanner.feed(lines[at : at + size])
    assert scanner.finish() == count(lines)


def test_a_secret_across_two_blocks_is_seen() -> None:
    scanner = secrets.Scanner()
    scanner.feed(b"x = 1\npass")
    scanner.feed(b"word = 'hunter22'\n")
    assert scanner.finish() == 1
