# os as an ESP32 has it: the port's own, without the host.
import _emu

_HOST_ONLY = ("getenv", "putenv", "unsetenv", "system", "errno", "VfsPosix", "VfsLfs1")

_own = _emu.native_os
for _name in dir(_own):
    if _name[0] != "_" and _name not in _HOST_ONLY:
        globals()[_name] = getattr(_own, _name)
_ROM = _emu.ROM


def _check(path):
    if isinstance(path, str) and path.startswith(_ROM):
        raise OSError(2)


def ilistdir(*path):
    _check(path and path[0])
    for entry in _own.ilistdir(*path):
        if entry[0] != _ROM[1:]:
            yield entry


def listdir(*path):
    _check(path and path[0])
    return [name for name in _own.listdir(*path) if name != _ROM[1:]]


def stat(path):
    _check(path)
    return _own.stat(path)


def statvfs(path):
    _check(path)
    return _own.statvfs(path)


def chdir(path):
    _check(path)
    return _own.chdir(path)


def uname():
    from collections import namedtuple
    import sys

    fields = ("sysname", "nodename", "release", "version", "machine")
    release = "%d.%d.%d" % tuple(sys.implementation.version[:3])
    machine = sys.implementation._machine
    return namedtuple("uname", fields)("esp32", "esp32", release, "v" + release, machine)


def sync():
    pass


def dupterm(*stream):
    return None
