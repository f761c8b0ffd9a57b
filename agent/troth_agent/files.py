# The files a board can execute, as manifest digests (troth.cddl `manifest`), and the literal
# secrets in what it stores. Measured anew each time: a file is the easiest thing to change.
import os
from hashlib import sha256

from micropython import const

from . import cbor, secrets

_DIRECTORY = const(0x4000)
_BLOCK = const(256)
_MAX_SHADOWED = const(16)
_CODE = (".py", ".mpy")
_TEXT = (".py", ".json", ".txt", ".toml", ".ini", ".cfg", ".conf", ".env", ".pem", ".key")
# built-in modules that MicroPython lets a file replace, and frozen ones that are looked for later
_BUILT_IN = (
    " array binascii bluetooth collections cryptolib errno hashlib heapq io json machine os "
    "platform random re select socket struct time websocket "
)
_FROZEN = " asyncio ssl "


# What was found under `root`, a file at a time.
class Found:
    def __init__(self):
        self.code = None  # the code digest
        self.agent = None  # the agent's, when files of it are in the tree
        self.secrets = 0  # literal ones
        self.shadowed = []  # built-in modules that a file takes the place of
        self.webrepl_cfg = False


# In steps; `agent` is the directory of the agent's modules.
def survey(root, agent):
    found = Found()
    code = []
    for path in _walk(root):
        if path.endswith(_CODE):
            code.append(path.encode())
            _look(found, path)
        elif path.endswith(_TEXT):
            found.secrets += yield from _read(root + path, None)
    found.shadowed.sort()
    code.sort(key=lambda path: (len(path), path))  # as their CBOR sorts
    prefix = agent.encode() + b"/"
    ours = [path for path in code if path.startswith(prefix)]
    whole, part = _Manifest(len(code)), _Manifest(len(ours))
    for path in code:
        digest = sha256()
        found.secrets += yield from _read(root + path.decode(), digest)
        digest = digest.digest()
        whole.add(path, digest)
        if path in ours:
            part.add(path, digest)
    found.code = whole.digest()
    if ours:
        found.agent = part.digest()
    return found


# `import` looks beside main.py before it takes a built-in module or a frozen one, and in /lib
# before it takes a built-in one.
def _look(found, path):
    in_lib = path.startswith("/lib/")
    name = path[5 if in_lib else 1 : path.rfind(".")]
    if name.endswith("/__init__"):
        name = name[:-9]
    if name == "webrepl_cfg":
        found.webrepl_cfg = True
    word = " %s " % name
    replaces = word in _BUILT_IN or (word in _FROZEN and not in_lib)
    if replaces and name not in found.shadowed and len(found.shadowed) < _MAX_SHADOWED:
        found.shadowed.append(name)


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
