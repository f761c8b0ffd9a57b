"""The demo as its users run it: twelve boards, and each fault disturbs exactly its own duty."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.vm, pytest.mark.timeout(200)]

# board: what fails on it, who owes it, what was refused, its state
TOLD = {
    "therm-01": ({}, [], "compliant"),
    "therm-02": ({}, [], "compliant"),
    "bench-01": ({}, [], "compliant"),
    "therm-03": (
        dict.fromkeys(("surface.no-webrepl", "boot.files-known", "cfg.no-drift"), "operator"),
        [],
        "non-compliant",
    ),
    "cam-01": (
        dict.fromkeys(("surface.no-webrepl", "store.no-hardcoded"), "maker"),
        [],
        "non-compliant",
    ),
    "therm-04": (
        dict.fromkeys(("upd.current", "upd.not-withdrawn"), "operator"),
        [],
        "non-compliant",
    ),
    "therm-05": ({"boot.files-known": "operator"}, [], "non-compliant"),
    "therm-06": ({"surface.debug-locked": "maker"}, [], "non-compliant"),
    "bench-02": ({"boot.firmware-known": "operator"}, [], "non-compliant"),
    "therm-07": ({}, ["id.mismatch", "nonce.replayed"], "compliant"),
    "therm-08": ({"attest.fresh": "operator"}, [], "stale"),
    "gate-01": ({}, [], "non-compliant"),
}


@pytest.fixture(scope="module")
def told() -> dict:
    argv = [sys.executable, "-m", "troth", "demo", "--once", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    return json.loads(done.stdout)


def test_the_document_says_what_it_is(told: dict) -> None:
    assert told["schema"] == "troth/demo/1"
    assert told["exit"] == 3
    assert [board["name"] for board in told["boards"]] == [
        "therm-01", "therm-02", "bench-01", "therm-03", "cam-01", "therm-04",
        "therm-05", "therm-06", "bench-02", "therm-07", "therm-08", "gate-01",
    ]  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_a_board_fails_exactly_its_own(told: dict, name: str) -> None:
    board = next(board for board in told["boards"] if board["name"] == name)
    owed, rejected, state = TOLD[name]
    assert board["owed_by"] == owed
    assert sorted(board["failing"]) == sorted(owed)
    assert board["rejected"] == rejected
    assert board["state"] == state


def test_findings_of_model_or_maker_stand_once(told: dict) -> None:
    found = [(row["duty"], row["subject"], row["of"], row["owed_by"]) for row in told["findings"]]
    assert sorted(found) == [
        ("auth.no-default-password", "model", "cam-s3", "maker"),
        ("support.not-shortened", "model", "gate-v1", "maker"),
    ]


def test_same_symptom_different_party(told: dict) -> None:
    owed = {board["name"]: board["owed_by"] for board in told["boards"]}
    assert owed["therm-03"]["surface.no-webrepl"] == "operator"
    assert owed["cam-01"]["surface.no-webrepl"] == "maker"
