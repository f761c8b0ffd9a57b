# Partitions over files of the board's folder; a blank rest reads as erased flash.
import _emu

_BLOCK = 4096
_TABLE = _emu.facts["partitions"]
_FIELDS = ("type", "subtype", "addr", "size", "label", "encrypted")


def _row(label):
    for row in _TABLE:
        if row["label"] == label:
            return row
    raise OSError(-261, "ESP_ERR_NOT_FOUND")


def _chosen():
    return (_emu.read("boot.slot") or _emu.facts["running"].encode()).decode()


def _read(name, offset, buf):
    view = memoryview(buf)
    for i in range(len(view)):
        view[i] = 0xFF
    if not name:
        return
    try:
        with _emu.host.open("/" + name, "rb") as file:
            file.seek(offset)
            file.readinto(view)
    except OSError:
        pass


def _write(name, offset, buf):
    try:
        file = _emu.host.open("/" + name, "r+b")
    except OSError:
        file = _emu.host.open("/" + name, "w+b")
    with file:
        end = file.seek(0, 2)
        while end < offset:
            end += file.write(b"\xff" * min(_BLOCK, offset - end))
        file.seek(offset)
        file.write(buf)


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=_BLOCK):
        if id == self.RUNNING:
            id = _emu.facts["running"]
        elif id == self.BOOT:
            id = _chosen()
        self._row = _row(id)
        self._block = block_size

    @staticmethod
    def find(type=0, subtype=0xFF, label=None, block_size=_BLOCK):
        return [
            Partition(row["label"], block_size)
            for row in _TABLE
            if row["type"] == type
            and subtype in (0xFF, row["subtype"])
            and label in (None, row["label"])
        ]

    def info(self):
        return tuple(self._row[field] for field in _FIELDS)

    def _check(self, offset, size):
        if offset < 0 or offset + size > self._row["size"]:
            raise OSError(-260, "ESP_ERR_INVALID_SIZE")

    def readblocks(self, block, buf, offset=0):
        at = block * self._block + offset
        self._check(at, len(buf))
        _read(self._row["file"], at, buf)

    def writeblocks(self, block, buf, offset=0):
        at = block * self._block + offset
        self._check(at, len(buf))
        if self._row["type"] == 0 and self._row["label"] == _emu.facts["running"]:
            raise OSError(-1, "ESP_FAIL")  # IDF refuses to write over the code it runs
        if self._row["file"]:
            _write(self._row["file"], at, buf)

    def ioctl(self, op, arg=0):
        if op == 4:
            return self._row["size"] // self._block
        if op == 5:
            return self._block
        if op == 6:
            if self._row["file"]:
                _write(self._row["file"], arg * self._block, b"\xff" * self._block)
            return 0

    def set_boot(self):
        magic = bytearray(1)
        if self._row["type"] == 0:
            _read(self._row["file"], 0, magic)
        if magic[0] != 0xE9:
            raise OSError(-5379, "ESP_ERR_OTA_VALIDATE_FAILED")
        _emu.write("boot.slot", self._row["label"].encode())

    def get_next_update(self):
        slots = [row["label"] for row in _TABLE if row["type"] == 0 and row["subtype"] >= 0x10]
        if not slots:
            raise OSError(-261, "ESP_ERR_NOT_FOUND")
        running = _emu.facts["running"]
        place = slots.index(running) if running in slots else -1
        return Partition(slots[(place + 1) % len(slots)])

    @staticmethod
    def mark_app_valid_cancel_rollback():
        if _emu.facts["running"] == "factory":
            raise OSError(-261, "ESP_ERR_NOT_FOUND")

    def __eq__(self, other):
        return isinstance(other, Partition) and self._row is other._row

    def __repr__(self):
        return "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>" % (
            tuple(int(v) if isinstance(v, bool) else v for v in self.info())
        )
