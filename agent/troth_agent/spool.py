# Reports that the verifier has not confirmed yet: a ring of slots, each a file under its final name
# or not there at all. The first report of an outage stays, so does every change of what the board
# says, and so does the newest; a routine report in between makes room. What was dropped shows as a
# gap in the numbers.
import os

from micropython import const

_FOLDER = "/.troth-spool"
_EPOCH = "epoch"
_NEW = "new"
_SLOTS = const(24)
_MAX_BYTES = const(20000)
_NO_SPACE = const(28)
_BEGIN = const(0x100)  # the lowest number of a report; below are those that were refused

# a slot's name: its number (8 hex digits), what it is kept for, and the state it shows (8 digits)
FIRST, CHANGE, ROUTINE = "f", "c", "r"
_KIND = const(8)
_STATE = const(9)
_NAME = const(17)


class Spool:
    def __init__(self, root=""):
        self._folder = root + _FOLDER

    # Names of the slots in use, the oldest first.
    def names(self):
        return [name for name, _ in self._slots()]

    # What a report of this state (the digest of its claims-set) would be kept for.
    def kind(self, digest):
        names = self.names()
        if not any(name[_KIND] == FIRST for name in names):
            return FIRST
        return ROUTINE if names[-1][_STATE:] == _state(digest) else CHANGE

    def put(self, evidence, kind, digest):
        slots = self._slots()
        number = max(int(slots[-1][0][:_KIND], 16) + 1, _BEGIN) if slots else _BEGIN
        size = len(evidence) + sum([size for _, size in slots])
        while len(slots) >= _SLOTS or size > _MAX_BYTES:
            size -= self._drop(slots)
        name = "%08x%s%s" % (number, kind, _state(digest))
        while True:
            try:
                return self._write(name, evidence)
            except OSError as err:
                if err.errno != _NO_SPACE or len(slots) < 2:
                    raise
            self._drop(slots)

    def read(self, name):
        with open(self._folder + "/" + name, "rb") as file:
            return file.read()

    def free(self, name):
        os.remove(self._folder + "/" + name)

    # No longer kept at any price: the verifier refused it, but never signed that. It leaves the
    # numbers, where it would stand before a gap that nobody dropped.
    def demote(self, name):
        number = int(name[:_KIND], 16)
        if number >= _BEGIN:
            taken = self._numbers()
            number = 0
            while number in taken:
                number += 1
        new = "%08x%s%s" % (number, ROUTINE, name[_STATE:])
        os.rename(self._folder + "/" + name, self._folder + "/" + new)
        return new

    # How many reports made room for others since the last one of them was freed.
    def dropped(self):
        numbers = [number for number in self._numbers() if number >= _BEGIN]
        return numbers[-1] - numbers[0] + 1 - len(numbers) if numbers else 0

    # The message with the handle that was written down last.
    def epoch(self):
        return self.read(_EPOCH)

    def keep_epoch(self, message):
        self._write(_EPOCH, message)

    def _numbers(self):
        return [int(name[:_KIND], 16) for name in self.names()]

    def _slots(self):
        try:
            entries = [(entry[0], entry[-1]) for entry in os.ilistdir(self._folder)]
        except OSError:
            return []
        return sorted([slot for slot in entries if len(slot[0]) == _NAME])

    # The oldest routine report goes, or else the oldest change.
    def _drop(self, slots):
        at = 1
        for i in range(len(slots)):
            if slots[i][0][_KIND] == ROUTINE:
                at = i
                break
        name, size = slots.pop(at)
        self.free(name)
        return size

    # The old content or the new one, whenever the power goes.
    def _write(self, name, data):
        new = self._folder + "/" + _NEW
        try:
            os.mkdir(self._folder)
        except OSError:
            pass  # it is there
        with open(new, "wb") as file:
            file.write(data)
        os.rename(new, self._folder + "/" + name)


def _state(digest):
    return digest[:4].hex()
