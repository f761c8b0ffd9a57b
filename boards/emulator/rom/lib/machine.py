# machine: identity, resets, clock, watchdog and the eFuse registers behind mem32.
import _emu

Signal = _emu.native_machine.Signal
idle = _emu.native_machine.idle
time_pulse_us = _emu.native_machine.time_pulse_us
_REGISTERS = _emu.facts["efuse_base"]

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
PIN_WAKE = 2
EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6


def reset_cause():
    return _emu.cause


def wake_reason():
    return TIMER_WAKE if _emu.cause == DEEPSLEEP_RESET else 0


def unique_id():
    return _emu.mac


def reset():
    _emu.end(_emu.HARD)


def soft_reset():
    raise SystemExit


def bootloader(_timeout=None):
    _emu.end(_emu.BOOTLOADER)


def deepsleep(time_ms=0):
    _emu.write("sleep.ms", str(time_ms).encode())
    _emu.end(_emu.SLEEP)


def lightsleep(time_ms=0):
    _emu.native_time.sleep_ms(time_ms)


_freq = [_emu.facts["cpu_hz"]]


def freq(hz=None):
    if hz is None:
        return _freq[0]
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq[0] = hz


def disable_irq():
    return 0


def enable_irq(_state=0):
    pass


_units = []
_burners = []


# The eFuse controller over the file that espefuse --virt reads and burns; made when a board burns.
def _burner():
    if not _burners:
        from _burner import Burner

        def keep(data):
            _emu.write("efuse.bin", data)

        def hide(n, key):
            _emu.write("efuse-key%d.bin" % n, key)

        _burners.append(Burner(_emu.facts["chip"], lambda: _emu.read("efuse.bin"), keep, hide))
    return _burners[0]


# The eFuse read registers. The file runs backwards: the register at base+o is the big-endian word
# that ends o bytes before the end.
def _fuse(address):
    at = address - _REGISTERS
    if _burners:
        return _burners[0].word(at) if at >= 0 else None
    fuses = _emu.read("efuse.bin")
    end = len(fuses) - at
    return int.from_bytes(fuses[end - 4 : end], "big") if 4 <= end <= len(fuses) else None


# The HMAC peripheral; its key lies apart, as the fuse file shows a protected block as zeros.
def _hmac():
    if not _units:
        from _hmac import Hmac

        chip = _emu.facts["chip"]
        _units.append(Hmac(chip, _fuse, lambda n: _emu.read("efuse-key%d.bin" % n, bytes(32))))
    return _units[0]


# Any other address is no memory of this board: the chip would take an exception.
class _Mem:
    def __init__(self, width):
        self._width = width

    def _word(self, address):
        word = _burners[0].read(address - _REGISTERS) if _burners else None
        if word is None:
            word = _fuse(address)
        if word is None:
            word = _hmac().read(address)
        if word is None:
            _emu.panic("LoadProhibited")
        return word

    def __getitem__(self, address):
        if address % self._width:
            raise ValueError("address %08x is not aligned to %d bytes" % (address, self._width))
        shift = address % 4 * 8
        return self._word(address - address % 4) >> shift & (1 << 8 * self._width) - 1

    # read registers of fuses ignore a write
    def __setitem__(self, address, value):
        at = address - _REGISTERS
        if 0 <= at < 0x200 and not at % 4 and _burner().write(at, value & 0xFFFFFFFF):
            return
        if address % 4 or _fuse(address) is not None or self._width < 4:
            self[address]
        elif not _hmac().write(address, value & 0xFFFFFFFF):
            _emu.panic("StoreProhibited")


mem8 = _Mem(1)
mem16 = _Mem(2)
mem32 = _Mem(4)


class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, fields=None):
        import time

        if fields is None:
            year, month, day, hour, minute, second, weekday = time.localtime()[:7]
            return (year, month, day, weekday, hour, minute, second, 0)
        year, month, day, _, hour, minute, second = fields[:7]
        time._set(time.mktime((year, month, day, hour, minute, second, 0, 0)))

    init = datetime

    def memory(self, data=None):
        if data is None:
            return _emu.read("rtc.memory", b"")
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _emu.write("rtc.memory", data)


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        self._ms = timeout
        self.feed()

    def feed(self):
        _emu.alarm_ms(self._ms)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_RISING = 1
    IRQ_FALLING = 2
    _levels = {}

    def __init__(self, id, mode=-1, pull=-1, value=None):
        if not isinstance(id, int) or not 0 <= id < _emu.facts["pins"]:
            raise ValueError("invalid pin")
        self._id = id
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return self._levels.get(self._id, 0)
        self._levels[self._id] = 1 if level else 0

    __call__ = value

    def init(self, *_args, **_kwargs):
        pass

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(not self.value())

    def irq(self, *_args, **_kwargs):
        pass

    def __repr__(self):
        return "Pin(%d)" % self._id


class ADC:
    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3

    def __init__(self, pin, **_kwargs):
        self._pin = pin

    def read_u16(self):
        return 0

    def read_uv(self):
        return 0


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __init__(self, id=-1, **kwargs):
        self._id = id

    def init(self, **kwargs):
        pass

    def deinit(self):
        pass


class Bus:
    def __init__(self, *_args, **_kwargs):
        pass


_element = []


# the secure element, if the line soldered one; it is on any pins
def _atecc608():
    if not _element:
        name = "atecc608.json"
        if _emu.read(name) is None:
            raise OSError(19)
        import os

        from _atecc608 import Atecc608

        def keep(text):
            with _emu.host.open("/" + name, "wb") as file:  # as it is: for its owner's eyes alone
                file.write(text.encode())

        now = _emu.native_time.ticks_ms
        _element.append(Atecc608(lambda: _emu.read(name), keep, now, os.urandom))
    return _element[0]


class I2C(Bus):
    def scan(self):
        try:
            return [0x60] if _atecc608().awake() else []
        except OSError:
            return []

    def readfrom(self, addr, n, stop=True):
        return _atecc608().read(addr, n)

    def writeto(self, addr, data, stop=True):
        return _atecc608().write(addr, bytes(data))


SoftI2C = I2C
