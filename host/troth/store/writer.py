"""One thread that writes: what waits is gathered into one durable commit (group commit).

Two kinds of work. A change stands for itself: an error of its own undoes it alone. A handful is
one of many alike (challenges, outcomes), written together with those that wait beside it. A fault
of the database undoes the whole gathering, and nobody is told that it was kept.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .engine import StoreUnavailable, unavailable

T = TypeVar("T")
Item = TypeVar("Item")
Together = Callable[[Connection, Sequence[Any]], Sequence[Any]]

GATHER = 512  # jobs under one commit


@dataclass(frozen=True, slots=True)
class _Change:
    change: Callable[[Connection], Any]
    done: Future[Any]


@dataclass(frozen=True, slots=True)
class _Handful:
    together: Together
    items: Sequence[Any]
    done: Future[Any] | None


_Job = _Change | _Handful
_Tell = Callable[[], None]


class Writer:
    """Queue work, get a Future that ends when it is on disk."""

    def __init__(self, engine: Engine, on_undone: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._on_undone = on_undone
        self._conn: Connection | None = None  # the thread's own, from its first write on
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="troth-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Callable[[Connection], T]) -> Future[T]:
        """Queue one change that stands for itself."""
        job = _Change(change, Future())
        self._queue(job)
        return job.done

    def submit_many(
        self, together: Callable[[Connection, Sequence[Item]], Sequence[T]], items: Sequence[Item]
    ) -> Future[Sequence[T]]:
        """Queue items that may be written together with others of their kind, one result each."""
        done: Future[Sequence[T]] = Future()
        self._queue(_Handful(together, items, done))
        return done

    def drop_in(
        self, together: Callable[[Connection, Sequence[Item]], Sequence[T]], item: Item
    ) -> None:
        """Queue an item that nobody waits for; it is on disk before whatever is queued later."""
        self._queue(_Handful(together, (item,), None))

    def close(self) -> None:
        """Write what was queued and stop; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _queue(self, job: _Job) -> None:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            jobs, last = self._gather()
            if jobs:
                self._commit(jobs)
            if last:
                break
        if self._conn is not None:
            self._conn.close()

    def _gather(self) -> tuple[list[_Job], bool]:
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == GATHER:
                return jobs, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return jobs, False
        return jobs, True

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            if self._conn is None:
                self._conn = self._engine.connect()
            with self._conn.begin():
                tells = self._write(self._conn, jobs)
        except Exception as err:  # the outermost loop of this thread: tell the callers, go on
            self._undone(err)
            fault = unavailable(err) if isinstance(err, DBAPIError) else err
            tells = [partial(job.done.set_exception, fault) for job in jobs if job.done is not None]
        for tell in tells:
            tell()

    def _write(self, conn: Connection, jobs: list[_Job]) -> list[_Tell]:
        """What was dropped in, then changes in their order, then the handfuls waited for."""
        tells: list[_Tell] = []
        dropped: dict[Together, list[_Handful]] = {}
        awaited: dict[Together, list[_Handful]] = {}
        for job in jobs:
            if isinstance(job, _Handful):
                kinds = dropped if job.done is None else awaited
                kinds.setdefault(job.together, []).append(job)
        for together, handfuls in dropped.items():
            _write_together(conn, together, handfuls)
        for job in jobs:
            if isinstance(job, _Change):
                tells.append(self._change(conn, job, alone=len(jobs) == 1))
        for together, handfuls in awaited.items():
            tells += _write_together(conn, together, handfuls)
        return tells

    def _change(self, conn: Connection, job: _Change, *, alone: bool) -> _Tell:
        if alone:
            return partial(job.done.set_result, job.change(conn))
        undo = conn.begin_nested()
        try:
            value = job.change(conn)
        except DBAPIError:
            raise
        except Exception as err:  # the caller's own mistake undoes its own change alone
            undo.rollback()
            self._on_undone()
            return partial(job.done.set_exception, err)
        undo.commit()
        return partial(job.done.set_result, value)

    def _undone(self, err: Exception) -> None:
        self._on_undone()
        if isinstance(err, DBAPIError) and self._conn is not None:
            # after a failed write the connection is not trusted again
            self._conn.invalidate()
            self._conn.close()
            self._conn = None


def _write_together(
    conn: Connection, together: Together, handfuls: Sequence[_Handful]
) -> list[_Tell]:
    results = together(conn, [item for handful in handfuls for item in handful.items])
    tells: list[_Tell] = []
    start = 0
    for handful in handfuls:
        end = start + len(handful.items)
        if handful.done is not None:
            tells.append(partial(handful.done.set_result, results[start:end]))
        start = end
    return tells
