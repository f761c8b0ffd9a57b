# The agent beside an application. The application wants a turn every 10 ms; how long it ever had to
# wait is told, by the processor's time (others use this machine) and by the clock, without what
# signing took.
import asyncio
import gc
import sys
import time


class Stand:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


sys.modules["esp32"] = Stand(NVS=lambda name: Stand(get_i32=lambda key: 13))
sys.modules["machine"] = Stand(unique_id=lambda: b"\x24\x0a\xc4\0\0\1")

import troth_agent
from troth_agent import p256_public
from troth_agent.keys.soft import SoftKey

private = bytes(range(1, 33))
key = SoftKey(private + p256_public.public_key(private))
signing = [0.0]
reports = []


class Signer:
    alg, kid = key.alg, key.kid

    def sign(self, structure):
        start = time.clock()
        signature = key.sign(structure)
        signing[0] = time.clock() - start
        return signature


class Board:
    root = ""
    settings = {"url": URL, "scheme": "https", "interval_s": 1}  # noqa: F821

    def __init__(self):
        reports.append(time.ticks_ms())

    def ca(self):
        with open(CA, "rb") as file:  # noqa: F821
            return file.read()

    def steps(self):
        for _ in range(20):
            yield 0
        return b"as the board says"

    def session(self):
        return {256: b"\2\x24\x0a\xc4\0\0\1", 261: 1, 267: 1, 268: bytes(8), -80002: 1}


troth_agent._board = Board
troth_agent._key = Signer
fed = [0]


def feed():
    fed[0] += 1


async def application():
    before = gc.mem_alloc()
    agent = troth_agent.start(feed)
    turns, longest = 0, 0.0
    last = time.clock()
    while len(reports) <= REPORTS:  # noqa: F821
        await asyncio.sleep_ms(10)
        now = time.clock()
        longest = max(longest, now - last - signing[0])
        last, signing[0] = now, 0.0
        turns += 1
    agent.cancel()
    try:
        await agent
    except asyncio.CancelledError:
        pass
    gc.collect()
    said = {"turns": turns, "longest_ms": longest * 1000, "fed": fed[0]}
    said["heap"] = gc.mem_alloc() - before
    print(said)


asyncio.run(application())
