# esp32: NVS and Partition over the board's folder, as docs/library/esp32.rst tells.
import _emu
from _nvs import NVS
from _partition import Partition

HEAP_DATA = 4
HEAP_EXEC = 1
WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True


def idf_heap_info(capabilities):
    return [(_emu.facts["heap_bytes"], 65536, 49152, 40960)]


def mcu_temperature():
    return 27


def raw_temperature():
    return 81


def wake_on_ext0(pin=None, level=None):
    pass


def gpio_deep_sleep_hold(enable):
    pass
