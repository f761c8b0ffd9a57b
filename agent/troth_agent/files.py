# The files a board can execute, as manifest digests (troth.cddl `manifest`), and the literal
# secrets in what it stores. Measured anew each time: a file is the easiest thing to change.
import os
from hashlib import sha256

from micropython import const

from . import cbor, secrets

_DIRECTORY = const(0x4000)
_BLOCK = const(256)
_CODE = (".py", ".mpy")
_TEXT = (".py", ".json", ".txt", ".toml", ".ini", ".cfg", ".conf", ".env", ".pem", ".key")


# The code digest, the agent's digest (None when no file of it is in the tree) and the number of
# literal secrets under `root`; `agent` is the directory of the agent's modules.
def survey(root, agent):
    code = []
    hits = 0
    for path in _walk(root):
        if path.endswith(_CODE):
            code.append(path.encode())
        elif path.endswith(_TEXT):
            hits += _read(root + path, None)
    code.sort(key=lambda path: (len(path), path))  # as their CBOR sorts
    prefix = agent.encode() + b"/"
    ours = [path for path in code if path.startswith(prefix)]
    whole, part = _Manifest(len(code)), _Manifest(len(ours))
    for path in code:
        digest = sha256()
        hits += _read(root + path.decode(), digest)
        digest = digest.digest()
        whole.add(path, digest)
        if path in ours:
            part.add(path, digest)
    return whole.digest(), part.digest() if ours else None, hits


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
    return scanner.finish() if scanner is not None else 0
