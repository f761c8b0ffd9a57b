# Partitions over files of the board's folder; a blank rest reads as erased flash.
import _emu
import binascii

_BLOCK = 4096
_TABLE = _emu.facts["partitions"]
_FIELDS = ("type", "subtype", "addr", "size", "label", "encrypted")


def _row(label):
    for row in _TABLE:
        if row["label"] == label:
            return row
    raise OSError(-261, "ESP_ERR_NOT_FOUND")


# otadata: two records of sequence, 20 bytes, state and CRC of the sequence; the higher one counts
_NEW, _VALID = 0, 2
_OTADATA = "otadata.bin"


def _records():
    found = []
    for sector in range(2):
        record = bytearray(32)
        _read(_OTADATA, sector * _BLOCK, record)
        sequence = bytes(record[:4])
        whole = binascii.crc32(sequence, 0xFFFFFFFF) == int.from_bytes(record[28:], "little")
        found.append(int.from_bytes(sequence, "little") if whole else 0)
    return found


def _slots():
    return [row["label"] for row in _TABLE if row["type"] == 0 and row["subtype"] >= 0x10]


def _chosen():
    newest = max(_records())
    return _slots()[(newest - 1) % 2] if newest else _emu.facts["running"]


# Beside the newer record, so that a power cut leaves one that is whole.
def _choose(slot):
    records = _records()
    sequence = slot + 1
    while sequence <= max(records):
        sequence += 2
    first = sequence.to_bytes(4, "little")
    tail = _NEW.to_bytes(4, "little") + binascii.crc32(first, 0xFFFFFFFF).to_bytes(4, "little")
    sector = 1 if records[0] >= records[1] else 0
    _write(_OTADATA, sector * _BLOCK, first + b"\xff" * 20 + tail)


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
        if self._row["label"] not in _slots():
            raise OSError(-261, "ESP_ERR_NOT_FOUND")
        _choose(_slots().index(self._row["label"]))

    def get_next_update(self):
        slots = _slots()
        if not slots:
            raise OSError(-261, "ESP_ERR_NOT_FOUND")
        running = _emu.facts["running"]
        place = slots.index(running) if running in slots else -1
        return Partition(slots[(place + 1) % len(slots)])

    @staticmethod
    def mark_app_valid_cancel_rollback():
        running = _emu.facts["running"]
        if running == "factory":
            raise OSError(-261, "ESP_ERR_NOT_FOUND")
        records = _records()
        newest = max(records)
        if newest and _slots()[(newest - 1) % 2] == running:
            _write(_OTADATA, records.index(newest) * _BLOCK + 24, _VALID.to_bytes(4, "little"))

    def __eq__(self, other):
        return isinstance(other, Partition) and self._row is other._row

    def __repr__(self):
        return "<Partition type=%d, subtype=%d, address=%d, size=%d, label=%s, encrypted=%d>" % (
            tuple(int(v) if isinstance(v, bool) else v for v in self.info())
        )
