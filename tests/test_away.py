"""A real board and a real verifier that goes away for a while: nothing is lost, and in order."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from line import compliant, emulator, release, running, served, troth, wait_for

pytestmark = [pytest.mark.vm, pytest.mark.timeout(200)]

SETTINGS = {
    "oemid": 0,
    "hwmodel": "m-away",
    "swname": "m",
    "swversion": "1.0.0",
    "interval_s": 2,
    "spool": True,
}


def rows(home: Path) -> list[tuple[Any, ...]]:
    asked = "SELECT boot_count, counter, freshness FROM evidence ORDER BY id"
    with sqlite3.connect(home / "troth.db") as store:
        return store.execute(asked).fetchall()


def wait_until(told: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if told():
            return True
        time.sleep(0.2)
    return False


def test_what_a_board_spooled_arrives_when_its_verifier_is_back(tmp_path: Path) -> None:
    home, files, image = tmp_path / "home", tmp_path / "files", tmp_path / "app.bin"
    files.mkdir()
    (files / "main.py").write_text("import troth_agent\n\ntroth_agent.run()\n")
    (files / "troth.json").write_text(json.dumps(SETTINGS))
    troth(tmp_path, "init", str(home))
    emulator("image", "--chip", "esp32c3", "--version", "1.0.0", "-o", str(image))
    release(home, image, files, "1.0.0")
    words = ("--chip", "esp32c3", "--app", str(image), "--name", "away")
    with running(tmp_path, *words) as boards:
        with served(home) as said:
            port = boards["boards"][0]["port"]
            place = said["attest"].removeprefix("https://")
            files_url = ("--files", str(files), "--url", said["attest"])
            troth(home, "provision", "--port", port, "--name", "away", *files_url)
            wait_for(home, "away", compliant, 60)
            assert wait_until(lambda: len(rows(home)) > 1)  # by itself, after the line's own
        online = rows(home)
        assert {how for _, _, how in online} == {"challenge"}
        time.sleep(6)  # the verifier is away: the board reports to itself
        with served(home, "--bind", place):
            assert wait_until(lambda: len(rows(home)) > len(online) + 1)
    said = rows(home)
    assert said[len(online)][2] == "epoch"
    assert said[len(online) + 1][2] == "challenge"
    assert [row[:2] for row in said] == sorted(row[:2] for row in said)
