# platform: what an ESP32 says of itself
import sys


def platform(*_args):
    return "MicroPython-%d.%d.%d-xtensa-IDFv5.5.2-with-newlib4.3.0" % sys.implementation.version[:3]


def python_compiler():
    return "GCC 14.2.0"


def libc_ver(*_args):
    return ("newlib", "4.3.0")
