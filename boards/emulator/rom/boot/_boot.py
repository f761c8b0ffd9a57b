# Power-on inside the VM: take the host's files in hand, mount the flash, hide the host, start.
# Runs with the host's file system still at "/"; nothing of it is reachable afterwards. start() is
# called from outside, so that the frames of an import do not take of the board's stack.
import sys

import __main__
import _board
import _power
import _shim

_HIDDEN = ("_boot", "_board", "_facade", "_flash", "_power", "_shim")


def _forget():
    for name in _HIDDEN:
        sys.modules.pop(name, None)
    __main__.__dict__.pop("start", None)
    return __main__.__dict__


# A fault that sits in the board itself. One in reporting needs an agent to be there.
def _spoil():
    for name in _board.facts["patches"]:
        try:
            __import__(name)
        except ImportError:
            pass
        sys.modules.pop(name, None)


def start():
    _power.mount()
    _power.stand_in()
    scope = _forget()
    _spoil()
    _shim.start(scope)
