"""The bench's own promises: its document, its table, its exit code. Nothing here measures time."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parent / "bench"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def _figures() -> ModuleType:
    return importlib.import_module("figures")


def _bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_main", BENCH / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_names_its_schema_and_every_field() -> None:
    figures = _figures()
    said = figures.document(
        [figures.at_most("a.ms", 1.23456, "ms", 2), figures.reported("b.bytes", 7, "B")]
    )
    assert said == {
        "schema": "troth/bench/1",
        "figures": [
            {"name": "a.ms", "value": 1.235, "unit": "ms", "ratio": None, "target": 2, "ok": True},
            {
                "name": "b.bytes",
                "value": 7,
                "unit": "B",
                "ratio": None,
                "target": None,
                "ok": None,
            },
        ],
    }


@pytest.mark.parametrize(
    ("value", "ok"), [(1.6, True), (1.6004, False)], ids=["at the target", "rounds to the target"]
)
def test_a_ceiling_is_judged_before_it_is_rounded(value: float, ok: bool) -> None:
    assert _figures().at_most("a.ms", value, "ms", 1.6).ok is ok


@pytest.mark.parametrize(
    ("ratio", "target", "ok"),
    [(0.75, 0.75, True), (0.7496, 0.75, False), (0.01, None, None)],
    ids=["at the target", "rounds to the target", "reported only"],
)
def test_a_ratio_is_judged_before_it_is_rounded(
    ratio: float, target: float | None, ok: bool | None
) -> None:
    assert _figures().at_least("a", 1, "us", ratio, target).ok is ok


def test_a_ratio_is_the_median_of_its_rounds() -> None:
    turns = _figures().Turns
    limit, ours = turns((50, 50, 100)), turns((100, 50, 125))
    assert ours.times_as_fast_as(limit) == 0.8


def test_the_table_says_what_was_missed() -> None:
    figures = _figures()
    lines = figures.table(
        [figures.at_most("a.ms", 3, "ms", 2), figures.reported("b", 1, "B")]
    ).splitlines()
    assert lines[1].split() == ["a.ms", "3", "ms", "2", "MISSED"]
    assert lines[2].split() == ["b", "1", "B", "reported"]


def test_every_part_can_be_asked_to_measure() -> None:
    for part in _bench().PARTS:
        assert callable(importlib.import_module(part).measure), part


@pytest.mark.parametrize(("value", "code"), [(1, 0), (3, 1)], ids=["met", "missed"])
def test_a_missed_target_is_told_by_the_exit_code(
    value: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = importlib.import_module("command")
    figure = _figures().at_most("cli.help_ms", value, "ms", 2)
    monkeypatch.setattr(command, "measure", lambda: [figure])
    out = tmp_path / "bench.json"
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "command", "--json", str(out)])
    assert _bench().main() == code
    assert json.loads(out.read_text())["figures"][0]["ok"] is (code == 0)
