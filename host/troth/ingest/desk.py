"""Between one event loop and a few threads: messages wait here shortly and are taken in handfuls.

Verification releases the interpreter lock, so that threads share the cores; a handful shares one
durable commit. Nobody is answered before that commit (SCALE 7).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from .outcomes import NotTaken, Outcome
from .pipeline import Message, Pipeline

THREADS = 3
HANDFUL = 64
MOST_WAITING = 4096

Told = Callable[[Message, Outcome | Exception, float], None]


class Busy(NotTaken):
    """`server.busy`: more waits than can be taken in soon; ask again."""


class Desk:
    """Takes messages from coroutines and answers each when its outcome is on disk."""

    def __init__(self, pipeline: Pipeline, told: Told = lambda *_: None) -> None:
        self._pipeline = pipeline
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Message, asyncio.Future[Outcome], float]] = deque()
        self._work = threading.Semaphore(0)
        self._open = True
        self._threads = [
            threading.Thread(target=self._run, name=f"troth-desk-{n}", daemon=True)
            for n in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    async def submit(self, message: Message) -> Outcome:
        """Wait for the outcome. Raises NotTaken, StoreUnavailable."""
        if len(self._waiting) >= MOST_WAITING or not self._open:
            raise Busy("server.busy", "too many messages are waiting")
        answer: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiting.append((message, answer, monotonic()))
        self._work.release()
        return await answer

    def close(self) -> None:
        """Take in what waits, then stop."""
        self._open = False
        for _ in self._threads:
            self._work.release()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while True:
            self._work.acquire()
            taken = self._handful()
            if taken:
                outcomes = self._pipeline.submit_many([message for message, _, _ in taken])
                for (message, _, since), outcome in zip(taken, outcomes, strict=True):
                    self._told(message, outcome, since)
                self._loop.call_soon_threadsafe(self._deliver, taken, outcomes)
            elif not self._open:
                return

    def _handful(self) -> list[tuple[Message, asyncio.Future[Outcome], float]]:
        taken: list[tuple[Message, asyncio.Future[Outcome], float]] = []
        while len(taken) < HANDFUL:
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        return taken

    def _deliver(
        self,
        taken: Sequence[tuple[Message, asyncio.Future[Outcome], float]],
        outcomes: Sequence[Outcome | Exception],
    ) -> None:
        for (_, answer, _), outcome in zip(taken, outcomes, strict=True):
            if answer.cancelled():
                continue
            if isinstance(outcome, Exception):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)
