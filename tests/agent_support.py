"""Stand-ins for the modules that MicroPython has and CPython lacks, and one board made of them.

Importing this makes `troth_agent` importable. `FakeBoard` is state; `plug_in` makes it the board
that the next `import esp32` talks to.
"""

from __future__ import annotations

import gc
import hashlib
import os
import re
import socket
import ssl
import struct
import sys
import time
import types
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import cbor2

ROOT = Path(__file__).resolve().parents[1]
AGENT = ROOT / "agent"
MAC = bytes.fromhex("7cdfa1000001")
CHIP_IDS = {"esp32": 0x00, "esp32c3": 0x05, "esp32s3": 0x09}
NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
TYPE_APP, TYPE_DATA = 0, 1
OTADATA, NVS_KEYS, FACTORY, OTA_0, OTA_1 = 0x00, 0x04, 0x00, 0x10, 0x11


def app_image(chip: str, text: bytes = b"firmware", secure_version: int = 0) -> bytes:
    """A small ESP image: header, one segment with an app descriptor, checksum row, SHA-256."""
    descriptor = struct.pack("<II", 0xABCD5432, secure_version) + bytes(248)
    segment = descriptor + text
    segment += bytes(-len(segment) % 4)
    header = bytearray(24)
    header[0], header[1], header[23] = 0xE9, 1, 1
    struct.pack_into("<H", header, 12, CHIP_IDS[chip])
    body = bytes(header) + struct.pack("<II", 0x3F400020, len(segment)) + segment
    body += bytes(15 - len(body) % 16)
    checksum = 0xEF
    for byte in segment:
        checksum ^= byte
    body += bytes([checksum])
    return body + hashlib.sha256(body).digest()


def _labels() -> dict[str, int]:
    """The claims of a claims-set by the names that rules have for them, with their labels."""
    cddl = (ROOT / "host/troth/formats/troth.cddl").read_text()
    block = cddl.split("private-claims = {")[1].split("\n}")[0]
    found = re.findall(r"^\s*\? (\d+) => .*; (\w+)", block, re.MULTILINE)
    top = {"oemid": 258, "hwmodel": 259, "oemboot": 262, "dbgstat": 263, "swname": 270}
    return {"chip": 1, **{name: int(label) for label, name in found}, **top, "swversion": 271}


LABELS = _labels()
MEASURED = ("app", "code", "agent", "bootloader", "partitions")


def named(facts: Mapping[Any, Any]) -> dict[str, Any]:
    """What the agent keeps by label, by name."""
    names = {label: name for name, label in LABELS.items()}
    return {
        names[label] if isinstance(label, int) else f"{label}_digest": value
        for label, value in facts.items()
    }


def told(claims_set: bytes) -> dict[str, Any]:
    """An encoded claims-set by name."""
    said = cbor2.loads(claims_set)
    facts = {**said.pop(-80001)}
    for _, component in said.pop(273):
        each = cbor2.loads(component)
        facts[each[1][0]] = each[2][1]
    return named(facts | said)


def labelled(said: Mapping[str, Any]) -> dict[Any, Any]:
    """What claims.claims_set() takes, from names."""
    facts: dict[Any, Any] = {}
    for name, value in said.items():
        part = name.removesuffix("_digest")
        facts[part if part in MEASURED else LABELS[name]] = value
    facts[LABELS["hwmodel"]] = said["hwmodel"].encode()
    facts[LABELS["swversion"]] = [said["swversion"]]
    return facts


class Flash:
    """One partition: what Partition.info() tells of it and its bytes."""

    def __init__(
        self, kind: int, subtype: int, label: str, data: bytes = b"", encrypted: bool = False
    ) -> None:
        self.kind, self.subtype, self.label, self.encrypted = kind, subtype, label, encrypted
        self.data = data + b"\xff" * (0x20000 - len(data))


class FakeBoard:
    """What a board is, as far as the agent can see."""

    def __init__(self, chip: str = "esp32c3", image: bytes | None = None) -> None:
        self.nvs: dict[tuple[str, str], Any] = {}
        self.fuses: dict[int, int] = {}
        self.app = Flash(TYPE_APP, FACTORY, "factory", image or app_image(chip))
        self.partitions = [self.app, Flash(TYPE_DATA, 0x02, "nvs"), Flash(TYPE_DATA, 0x81, "vfs")]
        self.ap_active, self.ap_security, self.joined = False, 3, True
        self.resets = 0
        self.raw = b"\xff" * 0x10000  # flash below the partitions, as it lies
        self.next_boot: Flash | None = None
        self.ble_active = False


_board = FakeBoard()


def finish(steps: Generator[int, None, Any]) -> Any:
    """Run an agent's steps to their end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def plug_in(board: FakeBoard) -> FakeBoard:
    global _board
    _board = board
    sys.modules.pop("webrepl", None)
    for name, kept in (("boot", "_this"), ("asked", "_signed")):
        loaded = sys.modules.get(f"troth_agent.{name}")
        if loaded is not None:
            getattr(loaded, kept).clear()
    return board


class NVS:
    def __init__(self, namespace: str) -> None:
        self._space = namespace

    def _get(self, key: str, kind: type) -> Any:
        value = _board.nvs.get((self._space, key))
        if not isinstance(value, kind):
            raise OSError(NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        return value

    def get_i32(self, key: str) -> int:
        return int(self._get(key, int))

    def set_i32(self, key: str, value: int) -> None:
        _board.nvs[self._space, key] = value

    def get_blob(self, key: str, buffer: bytearray) -> int:
        value = self._get(key, bytes)
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key: str, value: bytes) -> None:
        _board.nvs[self._space, key] = bytes(value)

    def erase_key(self, key: str) -> None:
        del _board.nvs[self._space, key]

    def commit(self) -> None:
        pass


class Partition:
    TYPE_APP, TYPE_DATA, BOOT, RUNNING = TYPE_APP, TYPE_DATA, 0, 1

    def __init__(self, which: Any) -> None:
        if which == self.BOOT:
            which = _board.next_boot
        self._flash = which if isinstance(which, Flash) else _board.app

    def info(self) -> tuple[int, int, int, int, str, bool]:
        f = self._flash
        place = 0x10000 + _board.partitions.index(f) * len(f.data)
        return f.kind, f.subtype, place, len(f.data), f.label, f.encrypted

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        at = block * 4096 + offset
        buffer[:] = self._flash.data[at : at + len(buffer)]

    def get_next_update(self) -> Partition:
        slots = [f for f in _board.partitions if f.kind == TYPE_APP and f.subtype >= OTA_0]
        return Partition(next(f for f in slots if f is not self._flash))

    @staticmethod
    def find(
        kind: int = TYPE_APP, subtype: int = 0xFF, label: str | None = None
    ) -> list[Partition]:
        return [
            Partition(f)
            for f in _board.partitions
            if f.kind == kind and subtype in (0xFF, f.subtype) and label in (None, f.label)
        ]


def flash_read(address: int, buffer: bytearray) -> None:
    data = _board.raw[address : address + len(buffer)]
    buffer[:] = data.ljust(len(buffer), b"\xff")


class BLE:
    def active(self) -> bool:
        return _board.ble_active


class Mem32:
    def __getitem__(self, address: int) -> int:
        return _board.fuses.get(address, 0)


class WLAN:
    IF_STA, IF_AP = 0, 1

    def __init__(self, interface: int) -> None:
        self._interface = interface

    def isconnected(self) -> bool:
        return _board.joined

    def active(self) -> bool:
        return _board.ap_active if self._interface == self.IF_AP else True

    def config(self, name: str) -> int:
        if self._interface != self.IF_AP or name != "security":
            raise OSError("AP required")
        return _board.ap_security


def _reset() -> None:
    _board.resets += 1


class SSLContext:
    """MicroPython's `tls` over CPython's `ssl`: the CA comes as DER, the stream has readline()."""

    def __init__(self, protocol: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    verify_mode = ssl.CERT_REQUIRED

    def load_verify_locations(self, der: bytes) -> None:
        try:
            self._context.load_verify_locations(cadata=der)
        except ssl.SSLError as err:
            raise ValueError("invalid cert") from err

    def wrap_socket(
        self, raw: socket.socket, server_hostname: str, do_handshake_on_connect: bool
    ) -> TlsStream:
        assert not do_handshake_on_connect
        return TlsStream(
            self._context.wrap_socket(
                raw, server_hostname=server_hostname, do_handshake_on_connect=False
            )
        )


class TlsStream:
    """As on a board: None where a blocking stream would wait; the first write shakes hands."""

    def __init__(self, stream: ssl.SSLSocket) -> None:
        self._stream, self.cipher = stream, stream.cipher
        self._shaken, self._kept = False, b""

    def write(self, data: bytes) -> int | None:
        try:
            if not self._shaken:
                self._stream.do_handshake()
                self._shaken = True
            return self._stream.send(data)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None
        except ssl.SSLCertVerificationError as err:
            raise ValueError(err.verify_message) from err

    def read(self, size: int) -> bytes | None:
        if self._kept:
            part, self._kept = self._kept[:size], self._kept[size:]
            return part
        try:
            return self._stream.recv(size)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    def readline(self, size: int) -> bytes | None:
        line = b""
        while len(line) < size and not line.endswith(b"\n"):
            part = self.read(1)
            if not part:
                return line or part
            line += part
        return line

    def close(self) -> None:
        self._stream.close()


def ilistdir(path: str) -> Iterator[tuple[str, int, int, int]]:
    for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
        kind = 0x4000 if entry.is_dir() else 0x8000
        yield entry.name, kind, 0, entry.stat().st_size


def _module(name: str, **names: Any) -> None:
    module = types.ModuleType(name)
    vars(module).update(names)
    sys.modules[name] = module


_module(
    "micropython",
    const=lambda value: value,
    kbd_intr=lambda character: None,
    opt_level=lambda n: None,
)
_module("esp32", NVS=NVS, Partition=Partition)
_module("machine", unique_id=lambda: MAC, mem32=Mem32(), reset=_reset)
_module("esp", flash_read=flash_read)
_module("bluetooth", BLE=BLE)
_module("network", WLAN=WLAN)
_module("tls", SSLContext=SSLContext, PROTOCOL_TLS_CLIENT=0, CERT_REQUIRED=2)
for _name, _value in {
    "ticks_ms": lambda: int(time.monotonic() * 1000),
    "ticks_diff": lambda later, earlier: later - earlier,
    "sleep_ms": lambda ms: time.sleep(ms / 1000),
}.items():
    if not hasattr(time, _name):
        setattr(time, _name, _value)
if not hasattr(os, "ilistdir"):
    os.ilistdir = ilistdir  # type: ignore[attr-defined]

# MicroPython's collector has one threshold; CPython's takes long over the memory of a test run
_module("gc", collect=lambda: 0, threshold=lambda size: None)
import troth_agent.loop  # noqa: E402, F401

sys.modules["gc"] = gc
