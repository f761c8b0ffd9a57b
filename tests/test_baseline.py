"""Approved settings: somebody signs what a device last reported, and it is kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import forge
import house
from troth.cli import root
from troth.factory.home import make_home
from troth.factory.keys import read_public_key
from troth.factory.signed import open_record
from troth.store import Store
from troth.trouble import Trouble


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(tmp_path)
    with house.new_store(tmp_path) as store:
        house.enrol(store, forge.Device(1))
        house.enrol(store, forge.Device(2))
        line = house.pipeline(store)
        challenge = line.challenge()
        line.submit(challenge.session, forge.Device(1).bundle(challenge.nonce))
    return tmp_path


def approve(home: Path, *words: str) -> Result:
    words = ("--home", str(home), "baseline", "approve", *words, "--json")
    return CliRunner().invoke(root, words, standalone_mode=False)


def test_what_a_device_runs_is_approved_and_signed(home: Path) -> None:
    (row,) = json.loads(approve(home, "board-1", "--by", "Ann").stdout)["approved"]
    assert row["cfg_digest"] == forge.digest_of("cfg 1.4.2").hex()
    with Store.open(f"sqlite:///{home}/troth.db") as store:
        (kept,) = store.baselines(None, None)
        assert any(event.action.startswith("baseline") for event in store.audit())
    said = open_record(kept.record, "baseline", read_public_key(home / "certs/dev", "baseline"))
    assert (kept.scope, kept.by, said["cfg"].hex()) == ("device", "Ann", row["cfg_digest"])


def test_approving_twice_is_said_plainly(home: Path) -> None:
    approve(home, "board-1")
    assert json.loads(approve(home, "board-1").stdout)["approved"][0]["added"] is False


def test_a_model_is_approved_by_what_its_devices_reported(home: Path) -> None:
    (row,) = json.loads(approve(home, "--model", house.MODEL).stdout)["approved"]
    assert (row["scope"], row["subject"]) == ("model", house.MODEL)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        pytest.param(["nobody"], "device.unknown", id="no-device"),
        pytest.param(["board-2"], "baseline.no-evidence", id="never-reported"),
        pytest.param(["--model", "none"], "device.unknown", id="no-model"),
    ],
)
def test_what_cannot_be_approved_is_told(home: Path, words: list[str], code: str) -> None:
    err = approve(home, *words).exception
    assert isinstance(err, Trouble)
    assert err.code == code


def test_a_record_signed_by_another_key_is_no_approval(home: Path) -> None:
    approve(home, "board-1")
    with Store.open(f"sqlite:///{home}/troth.db") as store:
        (kept,) = store.baselines(None, None)
    with pytest.raises(Trouble) as caught:
        open_record(kept.record, "baseline", read_public_key(home / "certs/dev", "release"))
    assert caught.value.code == "baseline.signature"
