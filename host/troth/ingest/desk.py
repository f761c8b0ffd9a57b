"""Between the event loop and the disk: messages are taken in handfuls, one durable commit each.

Who comes alone is served at once. While one handful is under way the next one gathers, and what
is drafted waits for what will be in a moment, so that the busier it gets the less each commit
costs. Nobody is answered before that commit (SCALE 7). The arithmetic between the parts of the
pipeline may be another process's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from time import monotonic

from ..store import Recorded, Spent
from .arithmetic import Here
from .outcomes import NotTaken, Outcome
from .pipeline import Pipeline
from .steps import Message, Prepared, Sent, Stage

HANDFUL = 64  # examined in one go, for the loop must not be deaf for long
TOGETHER = 128  # under one commit: more would make it little cheaper, and keep them waiting
MOST_WAITING = 4096
MOST_ASKED = 4  # handfuls: what they ask for fits into the wire to another process

Said = tuple[Message | Sent, Outcome | Exception, float]  # and since when it waited
Told = Callable[[Sequence[Said]], None]
End = Callable[[Outcome | Exception], None]  # must not raise: neighbours wait behind it
_Waits = tuple[Message | Sent, End, float]


class Busy(NotTaken):
    """`server.busy`: more waits than can be taken in soon; ask again."""


class Desk:
    """Takes messages from the event loop and answers each when its outcome is on disk."""

    def __init__(
        self, pipeline: Pipeline, told: Told = lambda _: None, arithmetic: Here | None = None
    ) -> None:
        self._pipeline = pipeline
        self._arithmetic = arithmetic or Here(pipeline.results)
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waits] = deque()
        self._unanswered = 0
        self._called = False
        self._asked = 0  # handfuls that are with the arithmetic
        self._drafted: list[tuple[Sequence[_Waits], Prepared]] = []

    def submit(self, message: Message | Sent, end: End) -> None:
        """Call `end` with the outcome, or with why there is none: NotTaken, StoreUnavailable."""
        if self._unanswered >= MOST_WAITING:
            end(Busy("server.busy", "too many messages are waiting"))
            return
        self._waiting.append((message, end, monotonic()))
        self._unanswered += 1
        self._call()

    def close(self) -> None:
        """Let go of what helps; nothing is submitted any more."""
        self._arithmetic.close()

    def _call(self) -> None:
        busy = self._unanswered > len(self._waiting)
        enough = len(self._waiting) >= (HANDFUL if busy else 1)
        if enough and not self._called and self._asked < MOST_ASKED:
            self._called = True
            self._loop.call_soon(self._take)

    def _take(self) -> None:
        self._called = False
        count = min(HANDFUL, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(count)]
        try:
            read = self._pipeline.read([message for message, _, _ in taken])
        except Exception as err:  # our own fault, before anything was looked at
            self._answer(taken, [err] * count)
        else:
            self._asked += 1
            self._arithmetic.check(read.asks, partial(self._weigh, taken, read))
        self._call()

    def _weigh(self, taken: Sequence[_Waits], read: Stage, holds: Sequence[bool]) -> None:
        weighed = self._pipeline.weigh(read, holds)
        self._arithmetic.sign(weighed.asks, partial(self._draft, taken, weighed))

    def _draft(self, taken: Sequence[_Waits], weighed: Stage, signatures: Sequence[bytes]) -> None:
        self._asked -= 1
        self._drafted.append((taken, self._pipeline.draft(weighed, signatures)))
        if not self._asked or sum(len(some) for some, _ in self._drafted) >= TOGETHER:
            self._record()
        self._call()

    def _record(self) -> None:
        drafted, self._drafted = self._drafted, []
        taken = [each for some, _ in drafted for each in some]
        prepared = Prepared(
            [end for _, some in drafted for end in some.ends],
            [change for _, some in drafted for change in some.changes],
        )
        if not prepared.changes:
            self._answer(taken, self._pipeline.conclude(prepared, ()))
            return
        try:
            job = self._pipeline.store.record_soon(prepared.changes)
        except Exception as err:  # closed under our feet: our own fault
            self._answer(taken, prepared.failed(err))
            return
        job.add_done_callback(
            lambda done: self._loop.call_soon_threadsafe(self._conclude, taken, prepared, done)
        )

    def _conclude(
        self,
        taken: Sequence[_Waits],
        prepared: Prepared,
        done: Future[Sequence[Recorded | Spent]],
    ) -> None:
        err = done.exception()
        if isinstance(err, Exception):
            self._answer(taken, prepared.failed(err))
        else:
            self._answer(taken, self._pipeline.conclude(prepared, done.result()))

    def _answer(self, taken: Sequence[_Waits], outcomes: Sequence[Outcome | Exception]) -> None:
        self._unanswered -= len(taken)
        self._told([(each[0], out, each[2]) for each, out in zip(taken, outcomes, strict=True)])
        for (_, end, _), outcome in zip(taken, outcomes, strict=True):
            end(outcome)
        self._call()
