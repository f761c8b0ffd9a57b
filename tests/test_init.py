"""`troth init`: a home made once and completed as often as one likes."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from troth.cli import root
from troth.settings import load_settings
from troth.trouble import Trouble


def init(home: Path) -> dict[str, object]:
    done = CliRunner().invoke(root, ["init", str(home), "--json"], standalone_mode=False)
    if done.exception:
        raise done.exception
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_a_home_is_ready_to_serve(tmp_path: Path) -> None:
    said = init(tmp_path / "home")
    settings = load_settings(str(tmp_path / "home"))
    assert settings.policy.anchors == (said["anchor"],)
    for path in (settings.ca_cert, settings.server_cert, settings.server_key, settings.ear_key):
        assert path.is_file()
    assert (tmp_path / "home" / "troth.db").is_file()


def test_a_second_run_makes_nothing_and_changes_nothing(tmp_path: Path) -> None:
    init(tmp_path)
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text().replace("fix_grace_days = 30", "fix_grace_days = 7"))
    said = init(tmp_path)
    assert said["made"] == []
    assert load_settings(str(tmp_path)).policy.fix_grace == 7 * 86_400


def test_a_disk_that_fills_up_leaves_no_half_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(9))

    def sync(_: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", sync)
        with pytest.raises(Trouble) as caught:
            init(tmp_path)
    assert caught.value.code == "home.unwritable"
    assert all(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    init(tmp_path)
    assert load_settings(str(tmp_path)).server_key.is_file()


def test_a_policy_that_does_not_know_the_ca_is_told(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("anchors = []\n")
    assert init(tmp_path)["anchored"] is False


def test_keys_never_reach_a_repository(tmp_path: Path) -> None:
    init(tmp_path)
    assert "certs/dev/" in (tmp_path / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('max_evidence_age_s = "a day"', "policy.type"),
        ("max_evidence_age_s = 0", "policy.type"),
        ("fix_grace_days = 99999999999", "policy.value"),
        ('anchors = ["88:33:AD"]', "policy.value"),
        ("epoch_s = 900\nmax_evidence_age_s = 3599", "policy.value"),
        ("max_evidence_age = 3600", "policy.unknown-key"),
        ("max_evidence_age_s = = 3600", "policy.syntax"),
    ],
)
def test_a_malformed_policy_is_told_with_its_file(tmp_path: Path, line: str, code: str) -> None:
    (tmp_path / "troth.toml").write_text("")
    (tmp_path / "policy.toml").write_text(line)
    with pytest.raises(Trouble) as caught:
        load_settings(str(tmp_path))
    assert caught.value.code == code
    assert str(tmp_path / "policy.toml") in caught.value.fix
