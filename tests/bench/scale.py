"""What a large fleet costs its operator: the page of `check`, and judging everybody again.

`SETS` forged boards, each with a claims-set of its own and made on another day, report and are
judged for real; the rest of the fleet are their copies, made by the database itself, each of which
reported at another second of the last hour, up to sixty times in it. Pages are counted in CPU
time, as an operator's machine has other work too; judging again by the clock on the wall, for it
waits for the disk. The million lack what nobody reads for that: raw reports, keys, records of the
line, answers over live values.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
from troth.store import Rules, Store

SETS = 200
SMALL, LARGE, MILLION = 10_000, 100_000, 1_000_000
NOW = house.NOW
CHANGED = "surface.no-webrepl"

# how each column of a copy tells it from its model; other columns are the same
_COPIED = {
    "devices": {"id": "tail", "name": "tail", "ueid": "tail", "mac": "tail"},
    "keys": {"kid": "blob", "device": "tail", "public_key": "blob"},
    "provisionings": {"id": "rows", "device": "tail"},
    "evidence": {"id": "rows", "device": "tail", "session": "tail", "received": "ago"},
    "verdicts": {"id": "rows", "subject": "tail", "evidence": "report"},
    "holdings": {"id": "rows", "device": "tail", "evidence": "report"},
    "states": {"id": "rows", "device": "tail", "evidence": "report"},
    "heads": dict.fromkeys(("seen", "given", "until"), "ago")
    | {"device": "tail", "evidence": "report", "reports": "often"},
}
_JUDGED = {name: _COPIED[name] for name in ("devices", "evidence", "holdings", "states", "heads")}
_JUDGED["evidence"] = _COPIED["evidence"] | {"raw": "none"}

Fails = Callable[[int], bool]


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        models.mkdir()
        _report(models)
        with grown(models, SMALL) as store:
            small, _ = _pages_s(store, SMALL)
            few, _ = _again_s(store, _some_fail, turned=SMALL // 20)
        with grown(models, LARGE) as store:
            large, morning = _pages_s(store, LARGE)
            many, busy = _again_s(store, _some_fail, turned=LARGE // 20)
            all_turn, _ = _again_s(store, _others_fail, turned=LARGE)
        with grown(models, MILLION, whole=False) as store:
            most, spent = _again_s(store, _some_fail, turned=MILLION // 20)
            unturned, _ = _again_s(store, _some_fail, turned=0)
    return [
        at_most("check.page_100k_s", large, "s", 1.0),
        reported("check.growth_10k_100k", large / small, "x"),
        reported("today.page_100k_s", morning, "s"),
        reported("reappraise.10k_s", few, "s"),
        reported("reappraise.100k_s", many, "s"),
        reported("reappraise.100k_cpu_s", busy, "s"),
        reported("reappraise.100k_all_turn_s", all_turn, "s"),
        at_most("reappraise.1m_s", most, "s", 20.0),
        reported("reappraise.1m_cpu_s", spent, "s"),
        reported("reappraise.1m_none_turns_s", unturned, "s"),
        reported("reappraise.growth_10k_100k", many / few, "x"),
        reported("reappraise.growth_10k_1m", most / few, "x"),
    ]


def _pages_s(store: Store, units: int) -> tuple[float, float]:
    """The whole of `troth check`, from an open store to its figures, and the Today page's."""
    context = Context(store, fleet.POLICY)
    context.refresh()
    found, _, spent = _timed(lambda: check(context, house.duties(), now=NOW + 60))
    if found.units != units:
        raise RuntimeError(f"{found.units} of {units} units were counted")
    _, _, morning = _timed(lambda: today(context, house.duties(), now=NOW + 60))
    return spent, morning


def _again_s(store: Store, fails: Fails, *, turned: int) -> tuple[float, float]:
    """Everybody judged by another rule, after which so many have turned; wall and CPU."""
    context, judge = Context(store, fleet.POLICY), Judge(_changed(house.duties(), fails))
    rules = Rules(f"{len(store.judged())} before")
    found, passed, spent = _timed(lambda: judge_everyone(context, judge, rules, now=NOW + 60))
    if found != turned:
        raise RuntimeError(f"{found} units turned, not {turned}")
    return passed, spent


@contextmanager
def grown(models: Path, units: int, *, whole: bool = True) -> Iterator[Store]:
    """A store with this many boards, all of which reported within the hour."""
    with tempfile.TemporaryDirectory() as folder:
        file = shutil.copy(models / "troth.db", folder)
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            _copy(db, units // SETS - 1, whole)
        with house.new_store(Path(folder)) as store:
            yield store


def _report(folder: Path) -> None:
    """The boards that are copied, judged as a running verifier has judged its units before."""
    with house.new_store(folder) as store:
        boards = fleet.enrol(store, SETS, at=NOW)
        for number, row in enumerate(store.devices()):
            placed = NOW - (30 + number) * fleet.DAY
            store.change_device(row.id, at=NOW, placed_on_market=placed)
        pipeline = Pipeline(
            store, house.duties(), fleet.POLICY, Results(house.ear_key()), clock=lambda: NOW
        )
        # the first report of a process is counted with the next: its board reports twice
        for number, board in [(0, boards[0]), *enumerate(boards)]:
            board.said["swversion"] = [f"{fleet.VERSION}+{number}"]
            session = pipeline.challenge()
            pipeline.submit(session.session, board.bundle(session.nonce))
        judge_everyone(pipeline.context, pipeline.judge, Rules("these"), now=NOW + 1)


def _copy(db: sqlite3.Connection, times: int, whole: bool) -> None:
    for promise in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000"):
        db.execute(f"PRAGMA {promise}")
    indexes = db.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    (reports,) = db.execute("SELECT count(*) FROM evidence").fetchone()
    db.execute("CREATE TEMP TABLE copies (i INTEGER, tail TEXT)")
    tails = ((number, f"{number:06}") for number in range(1, times + 1))
    db.execute("BEGIN")
    db.executemany("INSERT INTO copies VALUES (?, ?)", tails)
    for name, _ in indexes:
        db.execute(f"DROP INDEX {name}")
    for table, told in (_COPIED if whole else _JUDGED).items():
        ours = "subject_kind = 'unit'" if table == "verdicts" else "1"
        names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
        (last,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        said = {
            "tail": '"{}" || tail',
            "blob": 'CAST("{}" || tail AS BLOB)',
            "report": f'"{{}}" + i * {reports}',
            "rows": f'"{{}}" + i * {last}',
            "ago": '"{}" - i % 3600',
            "often": "1 + i % 60",
            "none": "x''",
        }
        made = ", ".join(said.get(told.get(name, ""), '"{}"').format(name) for name in names)
        sources = ["copies", f"(SELECT * FROM {table} WHERE {ours})"]
        if table == "devices" and not whole:
            sources.reverse()  # in the order of their names: a third of the time
        db.execute(f"INSERT INTO {table} SELECT {made} FROM {' CROSS JOIN '.join(sources)}")
    for _, made in indexes:
        db.execute(made)
    db.execute("COMMIT")


def _some_fail(number: int) -> bool:
    return number % 20 == 0


def _others_fail(number: int) -> bool:
    return not _some_fail(number)


def _changed(catalogue: Catalogue, fails: Fails) -> Catalogue:
    """Tomorrow's rules: one duty asks for something that these of the sets lack."""

    def rule(facts: Facts) -> Answer:
        number = int((facts.d.swversion or "+0").partition("+")[2] or 0)
        return Answer(Outcome.NOT_MET if fails(number) else Outcome.MET)

    duties = tuple(
        replace(duty, rule=rule) if duty.id == CHANGED else duty for duty in catalogue.duties
    )
    return replace(catalogue, duties=duties, digest="0" * 64)


def _timed(call: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, seconds on the wall, and seconds of CPU."""
    started, busy = time.perf_counter(), time.process_time()
    found = call()
    return found, time.perf_counter() - started, time.process_time() - busy
