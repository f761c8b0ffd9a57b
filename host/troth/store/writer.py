"""One thread that writes: what waits is gathered into one durable commit (group commit).

A change that raises one of its own errors is undone alone; a fault of the database undoes the
whole gathering, and nobody is told that it was kept.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .engine import StoreUnavailable, unavailable

T = TypeVar("T")

GATHER = 256  # changes under one commit


@dataclass(frozen=True, slots=True)
class _Job:
    change: Callable[[Connection], Any]
    done: Future[Any]


class Writer:
    """Queue a change, get a Future that ends when the change is on disk."""

    def __init__(self, engine: Engine, on_undone: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._on_undone = on_undone
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="troth-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Callable[[Connection], T]) -> Future[T]:
        """Queue one change. It runs inside a transaction with others, in the order of arrival."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        job = _Job(change, Future())
        self._jobs.put(job)
        return job.done

    def close(self) -> None:
        """Write what was queued and stop; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._thread.join()

    def _run(self) -> None:
        while True:
            jobs, last = self._gather()
            if jobs:
                self._commit(jobs)
            if last:
                return

    def _gather(self) -> tuple[list[_Job], bool]:
        job = self._jobs.get()
        jobs: list[_Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) == GATHER or self._jobs.empty():
                return jobs, False
            job = self._jobs.get()
        return jobs, True

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            with self._engine.connect() as conn, conn.begin():
                endings = [self._one(conn, job, alone=len(jobs) == 1) for job in jobs]
        except Exception as err:  # the outermost loop of this thread: tell the callers, go on
            self._undone(err)
            fault = unavailable(err) if isinstance(err, DBAPIError) else err
            for job in jobs:
                job.done.set_exception(fault)
            return
        for end in endings:
            end()

    def _one(self, conn: Connection, job: _Job, *, alone: bool) -> Callable[[], None]:
        """Run one change; returns how to tell its caller, once all is on disk."""
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
        if isinstance(err, DBAPIError):
            self._engine.dispose()  # after a failed write the connection is not trusted again
