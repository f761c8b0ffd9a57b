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


# A blank partition is formatted, as inisetup.py does on the first boot.
def mount(at="/"):
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
    vfs.mount(disk, at)
    return disk
