# What the emulated board is made of: its facts, its hidden host files, and how it ends.
import json
import os
import sys

import ffi
import struct
import umachine
import uos
import utime
import vfs

ROM = "/.frozen"

# how a VM ends, read by the supervisor as the kind of reset
SOFT = 0x40
SOFT_RAW = 0x41
HARD = 0x42
PANIC = 0x44
SLEEP = 0x45
BOOTLOADER = 0x46

folder = os.getenv("TROTH_BOARD")
cause = int(os.getenv("TROTH_CAUSE") or 1)
raw_mode = os.getenv("TROTH_RAW") == "1"
power_on_ms = int(os.getenv("TROTH_POWER_ON_MS") or 0)
host = vfs.VfsPosix(folder)
libc = ffi.open(None)
native_os = uos
native_sys = sys
native_time = utime
native_machine = umachine


def read(name, default=None):
    try:
        with host.open("/" + name, "rb") as file:
            return file.read()
    except OSError:
        return default


_rename = libc.func("i", "rename", "ss")  # VfsPosix.rename has one buffer for both its names


# written beside and renamed, so a reset in between leaves the old content
def write(name, data):
    with host.open("/" + name + ".new", "wb") as file:
        file.write(data)
    _rename(folder + "/" + name + ".new", folder + "/" + name)


facts = json.loads(read("board.json"))
mac = bytes(int(facts["mac"][i : i + 2], 16) for i in range(0, 12, 2))


# A reset does not unwind: no finally clause runs, no buffer is flushed, as on the chip.
_exit = libc.func("v", "_exit", "i")


def end(kind):
    _exit(kind)


def panic(why):
    sys.stdout.write("Guru Meditation Error: Core  0 panic'ed (%s)\r\n" % why)
    end(PANIC)


_setitimer = libc.func("i", "setitimer", "ipp")


# The watchdog is SIGALRM: unhandled it kills the VM, and the supervisor knows why.
def alarm_ms(ms):
    _setitimer(0, struct.pack("llll", 0, 0, ms // 1000, ms % 1000 * 1000), None)


def nvs():
    return json.loads(read("nvs.json", b"{}"))


# only a P2 build can be sealed; on stock firmware the flag means nothing
def sealed():
    if facts["profile"] != "P2":
        return False
    return not facts.get("prompt", True) or nvs().get("troth", {}).get("sealed") == 1
