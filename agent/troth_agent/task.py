# The agent beside an application, in its asyncio loop: between any two steps the others have their
# turn. What no step can be cut into: the look-up of the server's name, and a signature.
import asyncio

from micropython import const

from . import loop

_FEED_MS = const(1000)


async def run(board, key, feed):
    steps = loop.rounds(board, key)
    try:
        for ms in steps:
            await _rest(ms, feed)
    finally:
        steps.close()  # cancelled: a connection may be open


async def _rest(ms, feed):
    while True:
        if feed:
            feed()
        part = min(ms, _FEED_MS) if feed else ms
        await asyncio.sleep_ms(part)
        ms -= part
        if ms <= 0:
            return
