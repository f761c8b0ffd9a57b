# Stand-ins for built-in modules that a file cannot shadow: sys, micropython and vfs.
import _board
import micropython
import sys
import vfs
import _shim


class _Module:
    def __init__(self, real, hidden=()):
        self._real = real
        self._hidden = hidden

    def __getattr__(self, name):
        if name in self._hidden:
            raise AttributeError(name)
        return getattr(self._real, name)


_engine = sys.implementation


# like the port's own attrtuple: fields by name and by position
def _implementation():
    from collections import namedtuple

    fields = ("name", "version", "_machine", "_mpy", "_build", "_thread")
    kind = namedtuple("implementation", fields)
    machine, build = _board.facts["machine"], _board.facts["build"]
    return kind("micropython", _engine.version, machine, _engine._mpy, build, "GIL")


_sys = _Module(sys, ("executable",))
_sys.platform = "esp32"
_sys.implementation = _implementation()
_sys.version = "3.4.0; MicroPython v%d.%d.%d" % tuple(_engine.version[:3])
for _name in ("path", "argv", "modules", "stdin", "stdout", "stderr", "exit", "print_exception"):
    setattr(_sys, _name, getattr(sys, _name))
_sys.maxsize = sys.maxsize
_sys.byteorder = sys.byteorder
_sys.version_info = sys.version_info

_micropython = _Module(micropython)
_micropython.kbd_intr = _shim.kbd_intr


def _mount(*args, **kwargs):
    if args:
        return vfs.mount(*args, **kwargs)
    return [m for m in vfs.mount() if m[1] != _board.ROM]


# rom_ioctl answers as a build without a ROMFS partition: no partitions
def _rom_ioctl(op, *_args):
    return 0 if op == 1 else -22


_vfs = _Module(vfs, ("VfsPosix", "VfsRom"))
_vfs.mount = _mount
_vfs.rom_ioctl = _rom_ioctl


# the u- names force a built-in module; here the built-in is the fake
class _Built:
    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return getattr(__import__(self._name), attribute)


# what the unix port has and a chip has not: the doors to the host
class _Absent:
    pass


STANDINS = {"sys": _sys, "micropython": _micropython, "vfs": _vfs, "_emu": _board}
STANDINS.update(("u" + name, _Built(name)) for name in ("os", "time", "machine"))
STANDINS.update((name, _Absent()) for name in ("ffi", "jni", "termios"))
