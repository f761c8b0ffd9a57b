# This boot: counted once, named by random bytes, and measured where nothing can change until the
# next one. A boot is one life of the interpreter: a soft reset begins a new one.
import os
import time

from . import forget, nvs


class Boot:
    def __init__(self):
        self.count = nvs.remember(nvs.BOOTS, nvs.recall(nvs.BOOTS, 0) + 1)
        self.seed = os.urandom(8)
        self.facts = None
        self._ticks = time.ticks_ms()
        self._uptime_ms = 0
        self._tokens = 0

    # ticks wrap after days, so their differences are added up
    def uptime_s(self):
        now = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(now, self._ticks)
        self._ticks = now
        return self._uptime_ms // 1000

    # with the boot count it puts a device's reports in order, whenever they arrive
    def next_token(self):
        self._tokens += 1
        return self._tokens


_this: list = []


# Measured at the first call, which takes long enough that a watchdog wants its `feed`.
def this(feed=None):
    for _ in steps():
        if feed:
            feed()
    return _this[0]


# The same in small steps, for a board that runs an application; the modules that measure then leave
# the heap.
def steps():
    if not _this:
        _this.append(Boot())
    if _this[0].facts is None:
        from . import firm

        _this[0].facts = yield from firm.measure()
        let_go()


# What measures takes much heap.
def let_go():
    forget("firm", "efuse", "chip_table", "image")
