"""`troth emu run --expect STATE`: what a tester's CI lives by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emulated import EMULATOR, own_env
from forked import Result, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(150)]

SETTINGS = {"oemid": 0, "hwmodel": "lamp", "swname": "lamp", "swversion": "2.0", "interval_s": 2}


def expect(at: Path, *words: str) -> Result:
    return run("troth", "emu", "run", "--expect", *words, env=own_env(at), cwd=at)


def test_a_state_from_before_the_fault_does_not_count(tmp_path: Path) -> None:
    said = expect(tmp_path, "compliant", "--fault", "changed-file", "--timeout", "12", "--json")
    assert said.code == 3, said
    document = json.loads(said.out)
    assert document["met"] is False
    assert [row["failing"] for row in document["boards"]] == [["boot.files-known"]]


def test_your_own_files_and_image_are_found_from_where_you_are(tmp_path: Path) -> None:
    (tmp_path / "lamp").mkdir()
    (tmp_path / "lamp" / "main.py").write_text("import troth_agent\ntroth_agent.run()\n")
    (tmp_path / "lamp" / "troth.json").write_text(json.dumps(SETTINGS))
    words = ("--chip", "esp32c3", "--version", "2.0", "-o", "lamp.bin")
    assert run(EMULATOR, "image", *words, env=own_env(tmp_path), cwd=tmp_path).code == 0
    said = expect(tmp_path, "compliant", "--files", "lamp", "--app", "lamp.bin")
    assert said.code == 0, said


def test_a_fault_that_nobody_knows_is_told_before_a_board_is_made(tmp_path: Path) -> None:
    for fault, code in (("gravity", "fault.unknown"), ("debug-open", "fault.profile")):
        said = expect(tmp_path, "compliant", "--fault", fault)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"error[{code}]")
