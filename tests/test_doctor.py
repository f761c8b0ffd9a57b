"""doctor: each probe says ok, warn or FAIL, and a FAIL brings its remedy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import forge
import house
from standing import NOW, Standing, release
from troth.cli import probes
from troth.factory.home import make_home
from troth.factory.pki import make_pki
from troth.settings import Settings, load_settings
from troth.store import Store


def home(folder: Path) -> Settings:
    (folder / "troth.toml").write_text("")
    settings = load_settings(str(folder))
    settings.keys.mkdir(parents=True)
    return settings


def test_a_folder_without_a_home_is_a_warning_with_its_command(tmp_path: Path) -> None:
    settings, sign = probes.read_home(str(tmp_path), None)
    assert settings is None
    assert (sign.level, "troth init" in sign.fix) == ("warn", True)


def test_a_broken_home_fails_and_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "troth.toml").write_text("[serve\n")
    _, sign = probes.read_home(str(tmp_path), None)
    assert sign.level == "FAIL"
    assert "troth.toml" in sign.what


def test_every_key_that_serve_would_refuse_fails_with_its_remedy(tmp_path: Path) -> None:
    settings = home(tmp_path)
    assert [sign.level for sign in probes.keys(settings)] == ["FAIL", "FAIL"]  # ear, server
    make_pki(tmp_path)
    assert [sign.level for sign in probes.keys(settings)] == ["ok"]
    settings.ear_key.chmod(0o644)
    (sign,) = probes.keys(settings)
    assert (sign.level, sign.fix) == ("FAIL", f"chmod 600 {settings.ear_key}")


@pytest.mark.parametrize(("late", "level"), [(0, "ok"), (-7200, "warn")], ids=["now", "behind"])
def test_a_clock_behind_the_store_is_told(
    late: int, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Standing(tmp_path)
    fleet.add_release(release("bench", "esp32", "0.1.0", days_ago=10))
    fleet.enrol("bench-01", "bench", "esp32", "0.1.0")
    fleet.report("bench-01")
    monkeypatch.setattr(time, "time", lambda: NOW + late)
    assert probes.store(home(tmp_path)).level == level


def test_a_certificate_that_ends_is_told_before_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = home(tmp_path)
    assert [probes.ca(settings).level, probes.certificate(settings).level] == ["FAIL", "FAIL"]
    make_pki(tmp_path)
    now = time.time()
    for days, levels in (
        (0, ["ok", "ok"]),
        (380, ["ok", "warn"]),
        (400, ["ok", "FAIL"]),
        (3640, ["warn", "FAIL"]),
    ):
        monkeypatch.setattr(probes.time, "time", lambda days=days: now + days * 86_400)
        signs = [probes.ca(settings), probes.certificate(settings)]
        assert [sign.level for sign in signs] == levels
        assert all(sign.fix for sign in signs if sign.level != "ok")


def test_the_master_of_the_fuse_keys_is_sound_and_there_when_a_board_needs_it(
    tmp_path: Path,
) -> None:
    make_home(tmp_path)
    settings = load_settings(str(tmp_path))
    assert [sign.level for sign in probes.keys(settings)] == ["ok"], "it is none of the P-256 keys"
    assert probes.fuse_keys(settings).level == "ok"
    settings.hmac_master.chmod(0o644)
    sign = probes.fuse_keys(settings)
    assert (sign.level, sign.fix) == ("FAIL", f"chmod 600 {settings.hmac_master}")
    settings.hmac_master.chmod(0o600)
    settings.hmac_master.write_bytes(b"short")
    assert "key.kind" in probes.fuse_keys(settings).what
    settings.hmac_master.unlink()
    assert probes.fuse_keys(settings).level == "warn"
    with Store.open(settings.db, create=True) as store:
        house.enrol(store, forge.MacDevice(1))
    sign = probes.fuse_keys(settings)
    assert sign.level == "FAIL"
    assert "1 boards need it" in sign.what
    assert "bring hmac-master.key back" in sign.fix


def test_a_ca_that_is_none_fails(tmp_path: Path) -> None:
    settings = home(tmp_path)
    assert probes.ca(settings).level == "FAIL"
    settings.ca_cert.write_text("not a certificate")
    assert "no certificate" in probes.ca(settings).what


def test_a_missing_store_is_a_warning_and_a_foreign_file_fails(tmp_path: Path) -> None:
    settings = home(tmp_path)
    assert probes.store(settings).level == "warn"
    (tmp_path / "troth.db").write_bytes(b"this is no database, only text " * 100)
    sign = probes.store(settings)
    assert sign.level == "FAIL"
    assert sign.fix


def test_a_free_port_a_held_port_and_a_stranger_on_it(tmp_path: Path) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        assert probes.listener("pages", address).level == "warn"  # bound, not listening
        held.listen()
        taken = probes.listener("pages", address)
        assert taken.level == "ok"
        assert "pid" in taken.what
        stranger = probes.listener("server", address, tmp_path / "ca.pem")
        assert stranger.level == "FAIL"
        assert stranger.fix
    assert probes.listener("pages", "nonsense").level == "FAIL"


def test_a_port_that_is_not_there_says_so(tmp_path: Path) -> None:
    sign = probes.serial(str(tmp_path / "ttyUSB0"))
    assert sign.level == "FAIL"
    assert "port.missing" in sign.what


def test_the_probe_of_32_bit_programs_gives_an_answer() -> None:
    assert probes.ia32().level in ("ok", "warn")


def test_the_document_names_its_schema_and_ends_with_1_on_a_fail(tmp_path: Path) -> None:
    home(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "troth", "doctor", "--json"],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    found = json.loads(done.stdout)
    assert found["schema"] == "troth/doctor/1"
    assert not found["ok"]
    assert done.returncode == 1
    names = [check["name"] for check in found["checks"]]
    for name in (
        "python",
        "clock",
        "ia32",
        "micropython",
        "keys",
        "ca",
        "certificate",
        "store",
        "server",
    ):
        assert name in names
    assert all(check["fix"] for check in found["checks"] if check["level"] == "FAIL")
