# Power-on inside the VM: take the host's files in hand, mount the flash, hide the host, start.
# Runs with the host's file system still at "/"; nothing of it is reachable afterwards.
import sys

import __main__
import _board
import _flash
import _shim
import vfs

_HIDDEN = ("_boot", "_board", "_flash", "_shim", "_facade")


# The ROM is one more mount, placed ahead of the port's own frozen modules as frozen code is on a
# board. The os and vfs fakes leave it out of every listing.
def _mount():
    rom = vfs.VfsPosix(_board.folder + "/frozen")
    vfs.umount("/")
    _flash.mount()
    vfs.mount(rom, _board.ROM)
    sys.path[:] = ["", _board.ROM, ".frozen", "/lib"]
    sys.argv[:] = []


# sys, micropython and vfs are not extensible: the fakes are put where import looks first.
def _stand_in():
    import _facade

    for name, module in _facade.STANDINS.items():
        sys.modules[name] = module


def _forget():
    for name in _HIDDEN:
        sys.modules.pop(name, None)
    __main__.__dict__.pop("_boot", None)
    return __main__.__dict__


def start():
    import _facade  # noqa: F401  (read while the host's files are still there)

    _mount()
    _stand_in()
    for patch in _board.patches():
        __import__(patch)
    _shim.start(_forget())


start()
