# NVS: names, types and errors as ESP-IDF has them. commit() keeps what was set.
import _emu
import binascii
import json

_ERRORS = {
    -4354: "ESP_ERR_NVS_NOT_FOUND",
    -4355: "ESP_ERR_NVS_TYPE_MISMATCH",
    -4358: "ESP_ERR_NVS_INVALID_NAME",
    -4361: "ESP_ERR_NVS_KEY_TOO_LONG",
    -4364: "ESP_ERR_NVS_INVALID_LENGTH",
}
_live = _emu.nvs()


def _fail(number):
    raise OSError(number, _ERRORS[number])


# ints are kept as they are, blobs as base64 text
class NVS:
    def __init__(self, namespace):
        if not 0 < len(namespace) <= 15:
            _fail(-4358)
        self._name = namespace

    def _values(self):
        return _live.setdefault(self._name, {})

    def _get(self, key, kind):
        if len(key) > 15:
            _fail(-4361)
        if key not in self._values():
            _fail(-4354)
        value = self._values()[key]
        if not isinstance(value, kind):
            _fail(-4355)
        return value

    def _set(self, key, value):
        if not 0 < len(key) <= 15:
            _fail(-4361 if key else -4358)
        self._values()[key] = value

    def set_i32(self, key, value):
        if not -0x80000000 <= value <= 0x7FFFFFFF:
            raise OverflowError("overflow converting long int to machine word")
        self._set(key, int(value))

    def get_i32(self, key):
        return self._get(key, int)

    def set_blob(self, key, value):
        self._set(key, binascii.b2a_base64(bytes(memoryview(value)))[:-1].decode())

    def get_blob(self, key, buffer):
        data = binascii.a2b_base64(self._get(key, str))
        if len(data) > len(buffer):
            _fail(-4364)
        memoryview(buffer)[: len(data)] = data
        return len(data)

    def erase_key(self, key):
        if key not in self._values():
            _fail(-4354)
        del self._values()[key]

    def commit(self):
        _emu.write("nvs.json", json.dumps(_live).encode())
