# Report after report of the real agent, with the VM's own TLS and a real key, each to the next of
# ROADS. Told of each: what came of it, and how many reports then wait in the spool.
import sys
import time

import flash


class Stand:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


kept = {"tls": 13}
sys.modules["esp32"] = Stand(
    NVS=lambda name: Stand(get_i32=kept.get, set_i32=kept.update, commit=lambda: None)
)
sys.modules["machine"] = Stand(unique_id=lambda: MAC)  # noqa: F821

from troth_agent import Trouble, away
from troth_agent.keys.soft import SoftKey
from troth_agent.spool import Spool


class Board:
    root = "/flash"
    counter = 0

    def __init__(self, chosen, said):
        self.settings = {"spool": True, "receipt_key": RECEIPT_KEY}  # noqa: F821
        self.settings.update(chosen)
        self._said = said

    def ca(self):
        return CA  # noqa: F821

    def steps(self):
        yield 0
        return self._said

    def session(self):
        Board.counter += 1
        said = {256: b"\2" + MAC, 261: 1, 267: 1, 268: bytes(8)}  # noqa: F821
        said[-80002] = Board.counter
        return said


flash.mount(flash.new(48))
agent, told = away.Away(), []
for chosen, said in ROADS:  # noqa: F821
    why = "delivered"
    try:
        for ms in agent.report(Board(chosen, said), lambda: SoftKey(KEY)):  # noqa: F821
            time.sleep_ms(min(ms, 5))  # nobody's clock is tested here
    except Trouble as err:
        why = "[%s] %s" % (err.code, err.text)
    told.append((why, len(Spool("/flash").names())))
print(told)
