"""Who comes alone is served at once, a crowd shares commits, and nobody is answered before one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import forge
import house
from troth.ingest.arithmetic import Here, Then
from troth.ingest.desk import HANDFUL, TOGETHER, Desk
from troth.ingest.outcomes import Judged
from troth.ingest.pipeline import BARE, BUNDLE, Pipeline
from troth.ingest.results import Results
from troth.ingest.steps import Message
from troth.store import Store
from troth.store.bulk import ROWS, STEP, ask

BOARD = forge.Device(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with house.new_store(tmp_path) as store:
        house.enrol(store, BOARD)
        store.add_release(house.release(BOARD), b"signed", at=house.NOW)
        yield store


class Held(Here):
    """Signs what it is asked for when it is let go."""

    def __init__(self, results: Results) -> None:
        super().__init__(results)
        self.asked: list[Callable[[], None]] = []

    def sign(self, said: Sequence[bytes], then: Then) -> None:
        self.asked.append(partial(super().sign, said, then))

    def let_go(self) -> None:
        self.asked.pop(0)()


class Disk:
    """Keeps what it is told when it is let go."""

    def __init__(self, store: Store) -> None:
        self._record = store.record_soon
        self.jobs: list[tuple[Sequence[Any], Future[Any]]] = []

    def record_soon(self, changes: Sequence[Any]) -> Future[Any]:
        self.jobs.append((changes, Future()))
        return self.jobs[-1][1]

    def let_go(self) -> int:
        changes, job = self.jobs.pop(0)
        job.set_result(self._record(changes).result())
        return len(changes)


def reports(pipeline: Pipeline, count: int) -> list[Message]:
    opened = [pipeline.challenge(wait=False) for _ in range(count)]
    first = Message(opened[0].session, BOARD.bundle(opened[0].nonce), BUNDLE, house.NOW)
    others = (Message(c.session, BOARD.token(c.nonce), BARE, house.NOW) for c in opened[1:])
    return [first, *others]


def test_what_is_drafted_waits_for_what_will_be_in_a_moment(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, disk = house.pipeline(store), Disk(store)
    monkeypatch.setattr(store, "record_soon", disk.record_soon)
    arithmetic = Held(pipeline.results)
    answers: list[object] = []

    async def until(so: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not so():
                await asyncio.sleep(0)

    async def work() -> list[int]:
        desk = Desk(pipeline, arithmetic=arithmetic)
        alone, *crowd = reports(pipeline, 1 + TOGETHER + HANDFUL)
        desk.submit(alone, answers.append)
        await until(lambda: len(arithmetic.asked) == 1)
        arithmetic.let_go()
        kept = [disk.let_go()]
        assert answers == []
        await until(lambda: len(answers) == 1)

        for message in crowd:
            desk.submit(message, answers.append)
        await until(lambda: len(arithmetic.asked) == len(crowd) // HANDFUL)
        while arithmetic.asked:
            assert not disk.jobs
            arithmetic.let_go()
            while disk.jobs:
                before = len(answers)
                kept.append(disk.let_go())
                assert len(answers) == before
                await until(lambda: len(answers) == sum(kept))
        return kept

    assert asyncio.run(work()) == [1, TOGETHER, HANDFUL]
    assert all(isinstance(answer, Judged) for answer in answers)


@pytest.mark.parametrize("count", [0, 1, STEP - 1, STEP, STEP + 1, ROWS - 1, ROWS, 2 * ROWS + 5])
def test_however_many_rows_there_are_each_is_asked_once(store: Store, count: int) -> None:
    rows = [(n,) for n in range(count)]
    with store._engines.read.connect() as conn:
        assert list(ask(conn, "SELECT column1 FROM (VALUES {values})", rows)) == rows
