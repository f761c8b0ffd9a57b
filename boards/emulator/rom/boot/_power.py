# Steps of power-on: mount the flash and the ROM, put the fakes where import looks first.
import sys

import _board
import _facade
import _flash
import vfs


# The ROM is one more mount, placed ahead of the port's own frozen modules as frozen code is on a
# board. The os and vfs fakes leave it out of every listing.
def mount():
    rom = vfs.VfsPosix(_board.folder + "/frozen")
    vfs.umount("/")
    _flash.mount()
    vfs.mount(rom, _board.ROM)
    sys.path[:] = ["", _board.ROM, ".frozen", "/lib"]
    sys.argv[:] = []


# sys, micropython and vfs are not extensible; their fakes count as imported already.
def stand_in():
    for name, module in _facade.STANDINS.items():
        sys.modules[name] = module
