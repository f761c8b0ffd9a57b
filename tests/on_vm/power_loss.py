# Every flash operation of the spool, with the power gone in the middle of it: what the board finds
# afterwards is the old ring or the new one, and it works on.
from hashlib import sha256

import flash
from troth_agent.spool import Spool

A, B = sha256(b"a").digest(), sha256(b"b").digest()
spool = Spool("/flash")
told = {}


def ring():
    return [(name, spool.read(name)) for name in spool.names()]


def put(digest, evidence):
    spool.put(evidence, spool.kind(digest), digest)


def filled(count):
    disk = flash.new(64)
    flash.mount(disk)
    for i in range(count):
        put(B if i == 3 else A, b"%03d" % i * 80)
    spool.keep_epoch(b"old handle" * 4)
    flash.umount()
    return disk


def state():
    return ring(), spool.epoch()


# What is never lost, wherever the power goes; a reading in between is old, new, or as said.
def check(name, disk, change, between=()):
    flash.mount(disk)
    old = state()
    flash.umount()
    sound = flash.copy(disk)
    flash.mount(sound)
    change()
    new = state()
    flash.umount()
    seen = [0, 0, 0]

    def look(done):
        now = state()
        allowed = (old, new) + between
        if now not in allowed or (done and now != new):
            raise ValueError("%s: %r" % (name, [each for each, _ in now[0]]))
        seen[min(2, allowed.index(now))] += 1
        put(B, b"after" * 60)  # and the board goes on
        if ring()[-1][1] != b"after" * 60:
            raise ValueError("%s: the board does not go on" % name)

    operations = flash.cut(disk, change, look)
    told[name] = (operations, seen)


empty, some, full = filled(0), filled(5), filled(40)
check("first", empty, lambda: put(A, b"x" * 900))
check("next", some, lambda: put(A, b"x" * 250))
flash.mount(full)
names = spool.names()
victim = [name for name in names if name[8] == "r"][0]
without = [pair for pair in ring() if pair[0] != victim], spool.epoch()
flash.umount()
check("full", full, lambda: put(A, b"x" * 250), (without,))  # it makes room before it writes
check("free", some, lambda: spool.free(spool.names()[0]))
check("demote", some, lambda: spool.demote(spool.names()[0]))
check("handle", some, lambda: spool.keep_epoch(b"new handle" * 4))
print(told)
