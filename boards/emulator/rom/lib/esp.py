# esp: the flash chip by address. On a chip with flash encryption this is what lies there: noise.
import _emu
import hashlib

from _partition import _TABLE, _read

_BLOCK = 32
LOG_NONE, LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_VERBOSE = 0, 1, 2, 3, 4, 5


def osdebug(*_level):
    pass


def flash_size():
    return _emu.facts["flash_size"]


def flash_user_start():
    return 0x200000


def _plain(address, view):
    for row in _emu.facts["raw"] + _TABLE:
        offset = address - row["addr"]
        if 0 <= offset < row["size"]:
            return _read(row["file"], offset, view)
    _read(None, 0, view)


# ciphertext differs per chip and per address; which cipher it is nobody can tell from here
def _scramble(address, view):
    for i in range(len(view)):
        at = address + i
        if i == 0 or at % _BLOCK == 0:
            pad = hashlib.sha256(_emu.mac + str(at // _BLOCK).encode()).digest()
        view[i] ^= pad[at % _BLOCK]


def flash_read(address, buf):
    view = memoryview(buf)
    if address < 0 or address + len(view) > flash_size():
        raise OSError(-261)
    _plain(address, view)
    if _emu.facts["flash_encrypted"]:
        _scramble(address, view)


def flash_write(address, buf):
    raise OSError(-1)


def flash_erase(sector):
    raise OSError(-1)
