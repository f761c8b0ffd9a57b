# Flash in memory under the real littlefs: it counts its erases, and can lose power in the middle of
# any operation.
import os

import vfs

_BLOCK = 4096


class PowerLoss(Exception):
    pass


class Flash:
    def __init__(self, blocks):
        self.data = [b"\xff" * _BLOCK for _ in range(blocks)]  # shared until it is written
        self.erases = [0] * blocks
        self.left = None  # operations until the power goes; None: never
        self.gone = False  # what finalizers do to it afterwards reaches no flash

    def _spend(self):
        if self.left is not None:
            if self.left <= 0:
                raise PowerLoss
            self.left -= 1

    def readblocks(self, block, buf, offset=0):
        if self.gone:
            return
        buf[:] = memoryview(self.data[block])[offset : offset + len(buf)]

    # The last operation stops half-way.
    def writeblocks(self, block, buf, offset=0):
        if self.gone:
            return
        whole = self.left != 1
        self._spend()
        data = bytearray(self.data[block])
        size = len(buf) if whole else len(buf) // 2
        data[offset : offset + size] = memoryview(buf)[:size]
        self.data[block] = bytes(data)
        if not whole:
            self.left = 0
            raise PowerLoss

    def ioctl(self, op, arg):
        if op == 4:
            return len(self.data)
        if op == 5:
            return _BLOCK
        if op == 6 and not self.gone:
            self._spend()
            self.erases[arg] += 1
            self.data[arg] = b"\xff" * _BLOCK
        return 0


def new(blocks):
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash)
    return flash


# The same bytes again, as they were when the power went.
def copy(flash):
    other = Flash(0)
    other.data = list(flash.data)
    other.erases = list(flash.erases)
    return other


def mount(flash):
    vfs.mount(vfs.VfsLfs2(flash), "/flash")


def umount():
    vfs.umount("/flash")


# Does `change` on copies of this flash and takes the power away at each of its operations in turn;
# `look` then tells what a board finds at its next start. The number of operations.
def cut(flash, change, look):
    operations = 0
    while True:
        other = copy(flash)
        mount(other)
        other.left = operations + 1
        try:
            change()
            done = True
        except (PowerLoss, OSError):
            done = False
        other.gone = True
        umount()
        mount(copy(other))
        look(done)
        umount()
        if done:
            return operations
        operations += 1


def exists(path):
    try:
        return bool(os.stat(path))
    except OSError:
        return False
