"""The store under bad luck: full disk, held lock, kill -9. Our fault is told as our fault, nothing
is half-written, and what was acknowledged is there afterwards (THREATS F)."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

import forge
import house
from troth.core.verdict import State
from troth.ingest.outcomes import Judged
from troth.store import Store, StoreUnavailable, engine, evidence


class Disk:
    """A disk that can be full: the database may not grow by a page."""

    def __init__(self, store: Store) -> None:
        self.full = False
        self._engine = store._engines.write
        event.listen(self._engine, "begin", self._limit)

    def _limit(self, conn: Any) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        most = pages if self.full else 1 << 30
        conn.exec_driver_sql(f"PRAGMA max_page_count={most}")


def test_a_full_disk_is_our_fault_and_passes(store: Store, board: forge.Device) -> None:
    pipeline = house.pipeline(store)
    disk = Disk(store)
    challenge = pipeline.challenge()
    raw = board.bundle(challenge.nonce)
    disk.full = True
    with suppress(StoreUnavailable):  # the room that is left on the last pages
        for _ in range(50):
            store.note("test", "filling", "-", "x" * 4096, at=house.NOW)
    with pytest.raises(StoreUnavailable, match="full"):
        pipeline.submit(challenge.session, raw)
    assert store.challenge(challenge.session).spent_at is None
    assert store.latest_evidence(store.device(board.name).id) is None
    assert store.set_raw(board.set_digest()) is None
    disk.full = False
    assert isinstance(pipeline.submit(challenge.session, raw), Judged)
    assert store.audit_breaks() == ()


def test_a_challenge_that_the_disk_did_not_take_is_our_fault_not_the_board_s(
    store: Store, board: forge.Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = house.pipeline(store)

    def full(*_: Any) -> None:
        raise StoreUnavailable("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(evidence, "issue", full)
        challenge = pipeline.challenge(wait=False)
        store.can_write()  # the writer has come past it
    with pytest.raises(StoreUnavailable, match="not kept"):
        pipeline.submit(challenge.session, board.bundle(challenge.nonce))
    assert store.latest_evidence(store.device(board.name).id) is None


def test_a_held_lock_is_waited_for_and_then_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 100)
    with house.new_store(tmp_path) as store:
        board = forge.Device(1)
        device = house.enrol(store, board)
        pipeline = house.pipeline(store)
        challenge = pipeline.challenge()
        raw = board.bundle(challenge.nonce)
        holder = sqlite3.connect(tmp_path / "troth.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            pipeline.submit(challenge.session, raw)
        assert store.state(device) is None
        holder.execute("ROLLBACK")
        holder.close()
        assert isinstance(pipeline.submit(challenge.session, raw), Judged)


ATTESTER = """
import sys
from pathlib import Path
import forge, house
from troth.store import Store
from troth.ingest.pipeline import wall_clock
board = forge.Device(1)
with Store.open(sys.argv[1]) as store:
    pipeline = house.pipeline(store, clock=wall_clock)
    while True:
        challenge = pipeline.challenge(wait=False)
        outcome = pipeline.submit(challenge.session, board.bundle(challenge.nonce))
        print(challenge.session, outcome.evidence, flush=True)
"""


def test_what_was_acknowledged_outlives_kill_9(
    store: Store, board: forge.Device, tmp_path: Path
) -> None:
    acknowledged: list[tuple[str, int]] = []
    env = {**os.environ, "PYTHONPATH": str(Path(house.__file__).parent)}
    for cycle in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", ATTESTER, store.url], stdout=subprocess.PIPE, text=True, env=env
        )
        for _ in range(10 + 7 * cycle):
            session, ident = child.stdout.readline().split()
            acknowledged.append((session, int(ident)))
        child.send_signal(signal.SIGKILL)
        child.wait()
        for line in child.stdout:
            if line.endswith("\n"):
                session, ident = line.split()
                acknowledged.append((session, int(ident)))
        child.stdout.close()
    device = store.device(board.name).id
    kept = {row.session: row.id for row in store.evidences(device, limit=100_000)}
    assert {session: kept.get(session) for session, _ in acknowledged} == dict(acknowledged)
    assert len(kept) <= len(acknowledged) + 3  # at most one per cycle was kept and not told
    assert store.audit_breaks() == ()
    check = sqlite3.connect(tmp_path / "troth.db")
    assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert check.execute("PRAGMA foreign_key_check").fetchall() == []
    check.close()
    assert store.state(device).state in (State.COMPLIANT, State.NON_COMPLIANT)
