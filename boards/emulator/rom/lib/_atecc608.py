# An ATECC608 as its bus shows it: asleep until woken, deaf while it works, exact about counts and
# CRCs, and asleep again when its watchdog runs out. After Microchip's data sheets (ATECC508A, whose
# frames and codes the 608 kept); its arithmetic is its own, with nothing of the agent in it.
import json
from hashlib import sha256

_ADDRESS = 0x60
_WATCHDOG_MS = 1300
_WAKE_MS = 1
_SUCCESS, _PARSE, _EXECUTION, _AWAKE, _BAD_CRC = 0x00, 0x03, 0x0F, 0x11, 0xFF
_REVISION = b"\x00\x00\x60\x03"
# opcode -> how long it works
_WORK_MS = {0x02: 1, 0x16: 2, 0x17: 8, 0x1B: 5, 0x30: 1, 0x40: 40, 0x41: 40}

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5


class Nack(OSError):
    pass


# `load()` gives what the element remembers as JSON, `keep(text)` keeps it; `now()` in ms.
class Atecc608:
    def __init__(self, load, keep, now, random):
        self._keep, self._now, self._random = keep, now, random
        said = json.loads(load())
        self._config = bytearray(bytes.fromhex(said["config"]))
        self._keys = {int(slot): bytes.fromhex(key) for slot, key in said["keys"].items()}
        self._asleep, self._idle = True, False
        self._woken = self._ready = 0
        self._temp = None
        self._out = b""

    def awake(self):
        if not self._asleep and self._now() - self._woken > _WATCHDOG_MS:
            self._sleep()
        return not self._asleep and not self._idle

    def _sleep(self):
        self._asleep, self._idle, self._temp, self._out = True, False, None, b""

    def write(self, address, data):
        if address == 0 and data[:1] == b"\0":
            self._wake()
            raise Nack(19)  # the pulse is no transfer: nobody acknowledges it
        if address != _ADDRESS or not self.awake() or self._now() < self._ready:
            raise Nack(19)
        word = data[0] if data else 0
        if word == 1:
            self._sleep()
        elif word == 2:
            self._idle = True
        elif word == 3:
            self._command(data[1:])
        return len(data)

    def _wake(self):
        if self.awake():
            return
        self._asleep = self._idle = False
        self._woken = self._now()
        self._answer(bytes((_AWAKE,)), _WAKE_MS)

    def read(self, address, size):
        if address != _ADDRESS or not self.awake() or self._now() < self._ready:
            raise Nack(19)
        said, self._out = self._out[:size], self._out[size:]
        return said + b"\xff" * (size - len(said))

    def _answer(self, data, work_ms):
        packet = bytes((len(data) + 3,)) + data
        self._out = packet + _crc16(packet)
        self._ready = self._now() + work_ms

    def _command(self, packet):
        count = packet[0] if packet else 0
        if count < 7 or count != len(packet) or _crc16(packet[:-2]) != packet[-2:]:
            return self._answer(bytes((_BAD_CRC,)), 1)
        opcode, p1, p2 = packet[1], packet[2], packet[3] | packet[4] << 8
        work_ms = _WORK_MS.get(opcode)
        said = _PARSE if work_ms is None else self._run(opcode, p1, p2, packet[5:-2])
        self._answer(said if isinstance(said, bytes) else bytes((said,)), work_ms or 1)

    # what it gives, or a status
    def _run(self, opcode, p1, p2, data):
        if opcode == 0x16:
            return self._nonce(p1, data)
        if data:
            return _PARSE
        if opcode == 0x30:
            return _PARSE if p1 else _REVISION
        if opcode == 0x02:
            return self._read_config(p1, p2)
        if opcode == 0x17:
            return self._lock(p1)
        if opcode == 0x1B:
            return self._random(32) if self._locked() else b"\xff\xff\x00\x00" * 8
        if p2 > 15:
            return _PARSE
        return self._genkey(p1, p2) if opcode == 0x40 else self._sign(p1, p2)

    # bytes 87 and 86 of the configuration; 0x55 is open
    def _locked(self, at=87):
        return self._config[at] != 0x55

    def _read_config(self, p1, p2):
        size = 32 if p1 & 0x80 else 4
        at = p2 * 4
        if p1 & 0x7F or at + size > len(self._config):
            return _PARSE
        return bytes(self._config[at : at + size])

    def _lock(self, p1):
        if p1 not in (0x80, 0x81):  # zone, its CRC not compared
            return _PARSE
        at = 86 if p1 & 1 else 87
        if self._locked(at) or (at == 86 and not self._locked()):
            return _EXECUTION
        self._config[at] = 0
        self._remember()
        return _SUCCESS

    def _nonce(self, p1, data):
        if p1 & 3 != 3 or len(data) != 32:
            return _PARSE  # only passed through, in this model
        self._temp = data
        return _SUCCESS

    def _genkey(self, p1, slot):
        if p1 not in (0, 4):
            return _PARSE
        if p1 == 4:
            if not self._locked():
                return _EXECUTION
            self._keys[slot] = (int.from_bytes(self._random(40), "big") % (_N - 1) + 1).to_bytes(
                32, "big"
            )
            self._remember()
        if slot not in self._keys:
            return _EXECUTION
        x, y = _times_base(int.from_bytes(self._keys[slot], "big"))
        return x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def _sign(self, p1, slot):
        digest, self._temp = self._temp, None
        if p1 & 0x80 == 0:
            return _PARSE
        if digest is None or slot not in self._keys or not (self._locked() and self._locked(86)):
            return _EXECUTION
        private = int.from_bytes(self._keys[slot], "big")
        k = int.from_bytes(sha256(self._random(32) + digest).digest(), "big") % (_N - 1) + 1
        r = _times_base(k)[0] % _N
        s = pow(k, _N - 2, _N) * (int.from_bytes(digest, "big") + r * private) % _N
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def _remember(self):
        keys = {str(slot): key.hex() for slot, key in self._keys.items()}
        self._keep(json.dumps({"config": bytes(self._config).hex(), "keys": keys}))


def _crc16(data):
    register = 0
    for byte in data:
        for _ in range(8):
            bit = (byte ^ register >> 15) & 1
            register = (register << 1 ^ (0x8005 if bit else 0)) & 0xFFFF
            byte >>= 1
    return bytes((register & 0xFF, register >> 8))


# k * G, doubling and adding in Jacobian coordinates from the highest bit down
def _times_base(k):
    x, y, z = _GX, _GY, 1
    for i in range(len("{:b}".format(k)) - 2, -1, -1):
        yy = y * y % _P
        s = 4 * x * yy % _P
        m = 3 * (x - z * z) * (x + z * z) % _P
        z = 2 * y * z % _P
        x = (m * m - 2 * s) % _P
        y = (m * (s - x) - 8 * yy * yy) % _P
        if k >> i & 1:
            zz = z * z % _P
            h = (_GX * zz - x) % _P
            r = (_GY * zz * z - y) % _P
            hh = h * h % _P
            v = x * hh % _P
            y = y * hh * h % _P
            x = (r * r - hh * h - 2 * v) % _P
            y = (r * (v - x) - y) % _P
            z = z * h % _P
    inverse = pow(z, _P - 2, _P)
    return x * inverse * inverse % _P, y * inverse * inverse * inverse % _P
