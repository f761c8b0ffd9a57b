# time as an ESP32 has it: epoch 2000, eight fields, and a clock that nobody has set yet.
# The clock survives a reset and is lost with the power.
import _emu

_own = _emu.native_time
sleep = _own.sleep
sleep_ms = _own.sleep_ms
sleep_us = _own.sleep_us
ticks_add = _own.ticks_add
ticks_diff = _own.ticks_diff
ticks_ms = _own.ticks_ms  # asyncio's C half counts by the same clock
ticks_us = _own.ticks_us
ticks_cpu = _own.ticks_cpu
_EPOCH_2000 = 946684800
_power_on = _emu.power_on_ms


def _host_ms():
    return _own.time_ns() // 1000000


# ms between power-on's 2000-01-01 and the time that was set
def _offset_ms():
    return int(_emu.read("rtc.ms", b"0"))


def _up_ms():
    return _host_ms() - _power_on


def _set(seconds):
    _emu.write("rtc.ms", str(seconds * 1000 - _up_ms()).encode())


def _now_ms():
    return _up_ms() + _offset_ms()


def time():
    return _now_ms() // 1000


def time_ns():
    return _now_ms() * 1000000


def gmtime(seconds=None):
    return _own.gmtime((time() if seconds is None else int(seconds)) + _EPOCH_2000)[:8]


localtime = gmtime


def mktime(fields):
    return int(_own.mktime(tuple(fields[:8]) + (0,))) - _EPOCH_2000 + _utc_shift


# the host's own zone must not show: a board's mktime knows none
_utc_shift = _EPOCH_2000 - int(_own.mktime((2000, 1, 1, 0, 0, 0, 5, 1, 0)))
