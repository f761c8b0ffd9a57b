# A week without network, in compressed time: the real agent and the real spool on real littlefs;
# clock, key and link are stand-ins. Prints what the verifier gets afterwards, and how flash wore.
import gc
import sys

import flash

_WEEK_S = 7 * 86400
HOURS = (5, 30, 31, 90, 160)  # when what the board says changes


class Stand:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


now = [0]


def sleep_ms(ms):
    now[0] += ms


real = sys.modules["time"] if "time" in sys.modules else __import__("time")
sys.modules["time"] = Stand(
    ticks_ms=lambda: now[0] & 0x3FFFFFFF, ticks_diff=real.ticks_diff, sleep_ms=sleep_ms
)
sys.modules["esp32"] = Stand(NVS=lambda name: Stand(get_i32=lambda key: 13))
sys.modules["machine"] = Stand(unique_id=lambda: b"\x24\x0a\xc4\0\0\1")

from troth_agent import away, loop, receipt
from troth_agent.link import ACCEPTED, connection


class Key:
    alg = -7
    kid = bytes(8)

    def sign(self, structure):
        return bytes(64)


class Board:
    root = "/flash"
    settings = {"url": "https://x", "scheme": "https", "interval_s": 300, "spool": True}
    settings["receipt_key"] = bytes(64)
    counter = 0

    def ca(self):
        return b""

    def steps(self):
        yield 0
        changes = sum([now[0] >= hour * 3600000 for hour in HOURS])
        return b"state %d" % changes + bytes(600)

    def session(self):
        Board.counter += 1
        said = {256: b"\2\x24\x0a\xc4\0\0\1", 261: now[0] // 1000, 267: 7, 268: bytes(8)}
        said[-80002] = Board.counter
        return said


class Link:
    up, rotate = True, None
    got = []

    def open(self, settings, context, ueid):
        yield 5
        if not Link.up:
            raise OSError(113)
        return self

    def challenge(self):
        yield 5
        return bytes(32)

    def epoch(self):
        yield 5
        return b"\xa3\x04\x19\x07\x08\x06\x00\x0a\x58\x20" + bytes(32)

    def deliver(self, evidence):
        yield 5
        Link.got.append(evidence)
        return ACCEPTED

    def receipt(self, digests):
        yield 5
        return b"".join(digests)

    def tls_version(self):
        return 13

    def close(self):
        pass


# a receipt is verified elsewhere: here it is believed
def read(message, key, ueid):
    return [message[i : i + 32] for i in range(0, len(message), 32)]


loop.road = lambda settings: Link()
connection.trust = lambda ca: None
away.forget = lambda *names: None
receipt.read = read

disk = flash.new(48)
flash.mount(disk)
spooled = away.Spool("/flash")
begun = [0]


def board():
    begun[0] += 1
    return Board()


steps = loop.rounds(board, Key)
next(steps)


# To the end of one round, and into the next.
def report():
    before = begun[0]
    while begun[0] == before:
        sleep_ms(next(steps))


report()
Link.up = False
start, before, attempts, heap = now[0], list(disk.erases), 0, []
while now[0] - start < _WEEK_S * 1000:
    report()
    attempts += 1
    if attempts % 100 == 50:
        gc.collect()
        heap.append(gc.mem_alloc())
worn = max([disk.erases[i] - before[i] for i in range(len(before))])
evidence = [spooled.read(name) for name in spooled.names()]
# flash itself is in this heap: it counts from when its every block was written
said = {"attempts": attempts, "worn": worn, "heap": max(heap[5:]) - heap[5]}
said["waiting"], said["dropped"] = len(evidence), spooled.dropped()
said["bytes"] = sum([len(each) for each in evidence])
Link.up, Link.got = True, []
report()
said["left"] = len(spooled.names())
said["in_order"] = Link.got[: len(evidence)] == evidence
states = [each[each.find(b"state ") + 6] - 48 for each in Link.got if b"state " in each]
said["states"] = states
print(said)
