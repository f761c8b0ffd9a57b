# The files a board can execute, as manifest digests (troth.cddl `manifest`), and the literal
# secrets in what it stores. Measured anew each time: a file is the easiest thing to change.
import os
from hashlib import sha256

from micropython import const

from . import cbor, secrets

# labels of troth.cddl
_SHADOWED = const(41)
_WEBREPL_CFG_PRESENT = const(42)

_DIRECTORY = const(0x4000)
_BLOCK = const(128)
_MAX_SHADOWED = const(16)
_CODE = (".py", ".mpy")
_TEXT = (".py", ".json", ".txt", ".toml", ".ini", ".cfg", ".conf", ".env", ".pem", ".key")
# built-in modules that MicroPython lets a file replace, and frozen ones that are looked for later
_BUILT_IN = (
    " array binascii bluetooth collections cryptolib errno hashlib heapq io json machine os "
    "platform random re select socket struct time websocket "
)
_FROZEN = " asyncio ssl "


# In steps: what was found under `root`, by the claims' labels and the digests' names, and the
# number of literal secrets. `agent` is the directory of the agent's modules.
def survey(root, agent):
    shadowed: list = []
    said: dict = {_SHADOWED: shadowed, _WEBREPL_CFG_PRESENT: False}
    code = []
    hits = 0
    for path in _walk(root):
        if path.endswith(_CODE):
            code.append(path.encode())
            _look(said, shadowed, path)
        elif path.endswith(_TEXT):
            hits += yield from _read(root + path, None)
    shadowed.sort()
    code.sort(key=lambda path: (len(path), path))  # as their CBOR sorts
    ours = agent.encode() + b"/"
    count = sum(path.startswith(ours) for path in code)
    whole, part = _Manifest(len(code)), _Manifest(count)
    for path in code:
        digest = sha256()
        hits += yield from _read(root + path.decode(), digest)
        digest = digest.digest()
        whole.add(path, digest)
        if path.startswith(ours):
            part.add(path, digest)
    said["code"] = whole.digest()
    if count:
        said["agent"] = part.digest()
    return said, hits


# `import` looks beside main.py before it takes a built-in module or a frozen one, and in /lib
# before it takes a built-in one.
def _look(said, shadowed, path):
    in_lib = path.startswith("/lib/")
    name = path[5 if in_lib else 1 : path.rfind(".")]
    if name.endswith("/__init__"):
        name = name[:-9]
    if name == "webrepl_cfg":
        said[_WEBREPL_CFG_PRESENT] = True
    word = " %s " % name
    replaces = word in _BUILT_IN or (word in _FROZEN and not in_lib)
    if replaces and name not in shadowed and len(shadowed) < _MAX_SHADOWED:
        shadowed.append(name)


# SHA-256 over the CBOR map { path => SHA-256 }, without ever holding the map.
class _Manifest:
    def __init__(self, entries):
        self._sum = sha256()
        self._head(5, entries)

    def add(self, path, digest):
        self._head(3, len(path))
        self._sum.update(path)
        self._head(2, 32)
        self._sum.update(digest)

    def digest(self):
        return self._sum.digest()

    def _head(self, major, n):
        out = bytearray()
        cbor.head(out, major, n)
        self._sum.update(out)


def _walk(root):
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in os.ilistdir(root + folder or "/"):
            path = folder + "/" + entry[0]
            if entry[1] == _DIRECTORY:
                folders.append(path)
            else:
                yield path


# Feeds a file to `digest` (if any) and, when it is text, to the scanner; the number of hits.
def _read(path, digest):
    scanner = secrets.Scanner() if path.endswith(_TEXT) else None
    block = bytearray(_BLOCK)
    view = memoryview(block)
    with open(path, "rb") as file:
        while True:
            size = file.readinto(block)
            if not size:
                break
            if digest is not None:
                digest.update(view[:size])
            if scanner is not None:
                scanner.feed(view[:size])
            yield 0
    return scanner.finish() if scanner is not None else 0
