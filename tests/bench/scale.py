"""What a large fleet costs its operator: the page of `check`, and judging everybody again.

`SETS` forged boards, each with a claims-set of its own and made on another day, report and are
judged for real; the rest of the fleet are their copies, made by the database itself. CPU time, as
an operator's machine has other work too.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet
from figures import Figure, at_most, reported

import house
from troth.core.duties import Answer, Facts, Outcome
from troth.core.verdict import Catalogue
from troth.fleet.board import today
from troth.fleet.check import check
from troth.fleet.clock import judge_everyone
from troth.fleet.context import Context
from troth.fleet.judging import Judge
from troth.ingest.pipeline import Pipeline
from troth.ingest.results import Results
from troth.store import Store

SETS = 200
SMALL, LARGE = 10_000, 100_000
AGAIN = 400
NOW = house.NOW
CHANGED = "surface.no-webrepl"

# how each column of a copy tells it from its model; other columns are the same
_COPIED = {
    "devices": {"id": "tail", "name": "tail", "ueid": "tail", "mac": "tail"},
    "keys": {"kid": "blob", "device": "tail", "public_key": "blob"},
    "provisionings": {"id": "rows", "device": "tail"},
    "evidence": {"id": "rows", "device": "tail", "session": "tail"},
    "verdicts": {"id": "rows", "subject": "tail", "evidence": "sets"},
    "holdings": {"id": "rows", "device": "tail", "evidence": "sets"},
    "states": {"id": "rows", "device": "tail", "evidence": "sets"},
    "heads": {"device": "tail", "evidence": "sets"},
}


def measure() -> list[Figure]:
    (small, _), (large, morning) = _pages_s(SMALL), _pages_s(LARGE)
    return [
        at_most("check.page_100k_s", large, "s", 1.0),
        reported("check.growth_10k_100k", large / small, "x"),
        reported("today.page_100k_s", morning, "s"),
        reported("judge_again.us_per_unit", _again_us(AGAIN), "us"),
    ]


def _pages_s(units: int) -> tuple[float, float]:
    """The whole of `troth check`, from an open store to its figures, and the Today page's."""
    with tempfile.TemporaryDirectory() as folder, grown(Path(folder), units) as store:
        context = Context(store, fleet.POLICY)
        context.refresh()
        found, spent = _cpu(lambda: check(context, house.duties(), now=NOW + 60))
        if found.units != units:
            raise RuntimeError(f"{found.units} of {units} units were counted")
        _, morning = _cpu(lambda: today(context, house.duties(), now=NOW + 60))
        return spent, morning


def _again_us(units: int) -> float:
    """Everybody judged by a changed rule, which one set in twenty does not meet."""
    with tempfile.TemporaryDirectory() as folder, grown(Path(folder), units) as store:
        context, judge = Context(store, fleet.POLICY), Judge(_changed(house.duties()))
        turned, spent = _cpu(lambda: judge_everyone(context, judge, "other rules", now=NOW + 60))
        if turned < units // 20:
            raise RuntimeError(f"only {turned} of {units} units turned")
        return spent / units * 1e6


def grown(folder: Path, units: int) -> Store:
    """A store with this many boards, all of which reported a moment ago."""
    with house.new_store(folder) as store:
        boards = fleet.enrol(store, SETS, at=NOW)
        for number, row in enumerate(store.devices()):
            placed = NOW - (30 + number) * fleet.DAY
            store.change_device(row.id, at=NOW, placed_on_market=placed)
        pipeline = Pipeline(
            store, house.duties(), fleet.POLICY, Results(house.ear_key()), clock=lambda: NOW
        )
        for number, board in enumerate(boards):
            board.said["swversion"] = [f"{fleet.VERSION}+{number}"]
            session = pipeline.challenge()
            pipeline.submit(session.session, board.bundle(session.nonce))
    with closing(sqlite3.connect(folder / "troth.db", isolation_level=None)) as db:
        _copy(db, units // SETS - 1)
    return house.new_store(folder)


def _copy(db: sqlite3.Connection, times: int) -> None:
    db.execute("PRAGMA synchronous=OFF")
    db.execute("CREATE TEMP TABLE copies (i INTEGER, tail TEXT)")
    tails = ((number, f"{number:06}") for number in range(1, times + 1))
    db.execute("BEGIN")
    db.executemany("INSERT INTO copies VALUES (?, ?)", tails)
    for table, told in _COPIED.items():
        ours = "subject_kind = 'unit'" if table == "verdicts" else "1"
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        (last,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        said = {
            "tail": '"{}" || tail',
            "blob": 'CAST("{}" || tail AS BLOB)',
            "sets": f'"{{}}" + i * {SETS}',
            "rows": f'"{{}}" + i * {last}',
        }
        made = ", ".join(said.get(told.get(name, ""), '"{}"').format(name) for name in names)
        models = f"(SELECT * FROM {table} WHERE {ours})"
        db.execute(f"INSERT INTO {table} SELECT {made} FROM copies CROSS JOIN {models}")
    db.execute("COMMIT")


def _changed(catalogue: Catalogue) -> Catalogue:
    """Tomorrow's rules: one duty asks for something that a twentieth of the sets lacks."""

    def rule(facts: Facts) -> Answer:
        short = int((facts.d.swversion or "+0").partition("+")[2] or 0) % 20 == 0
        return Answer(Outcome.NOT_MET if short else Outcome.MET)

    duties = tuple(
        replace(duty, rule=rule) if duty.id == CHANGED else duty for duty in catalogue.duties
    )
    return replace(catalogue, duties=duties, digest="0" * 64)


def _cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return call(), time.process_time() - start
