# The flash chip: a file with 4 KiB blocks, and littlefs in its vfs partition.
import _board
import vfs

_BLOCK = 4096


class Flash:
    def __init__(self, file, blocks):
        self.file = file
        self.blocks = blocks

    def readblocks(self, block, buf, offset=0):
        self.file.seek(block * _BLOCK + offset)
        self.file.readinto(buf)

    def writeblocks(self, block, buf, offset=None):
        self.file.seek(block * _BLOCK + (offset or 0))
        self.file.write(buf)

    def ioctl(self, op, _arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return _BLOCK
        if op == 6:
            return 0


# A new board's vfs partition is blank: the first boot formats it, as inisetup.py does.
def mount():
    size = _board.facts["vfs_size"]
    try:
        flash = Flash(_board.host.open("/flash.bin", "r+b"), size // _BLOCK)
        disk = vfs.VfsLfs2(flash)
    except OSError:
        flash = Flash(_board.host.open("/flash.bin", "w+b"), size // _BLOCK)
        flash.file.seek(size - 1)
        flash.file.write(b"\xff")
        vfs.VfsLfs2.mkfs(flash)
        disk = vfs.VfsLfs2(flash)
    vfs.mount(disk, "/")
    if _board.facts.get("new") and not _board.read("flash.made"):
        _first_boot(disk)


# inisetup.py leaves this boot.py on every new ESP32
def _first_boot(disk):
    with disk.open("/boot.py", "w") as file:
        file.write(_BOOT_PY)
    _board.write("flash.made", b"1")


_BOOT_PY = """\
# This file is executed on every boot (including wake-boot from deepsleep)
#import esp
#esp.osdebug(None)
#import webrepl
#webrepl.start()
"""
