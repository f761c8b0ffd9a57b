# The agent beside an application, in its asyncio loop: between any two steps the others have their
# turn. What no step can be cut into: the look-up of the server's name, and a signature.
import asyncio

from micropython import const

from . import loop

_FEED_MS = const(1000)


async def run(board, key, feed):
    rounds = loop.Rounds(board, key)
    while True:
        steps = rounds.next()
        while True:
            try:
                ms = next(steps)
            except StopIteration as end:
                ms = end.value
                break
            await _rest(ms, feed)
        if ms is None:
            return
        await _rest(ms, feed)


async def _rest(ms, feed):
    while True:
        if feed:
            feed()
        part = min(ms, _FEED_MS) if feed else ms
        await asyncio.sleep_ms(part)
        ms -= part
        if ms <= 0:
            return
