# Troth's agent: a board gives its word. Nothing is imported or done before it is asked for.
from micropython import const

VERSION = "0.1.0"
_NONCE_BYTES = const(32)


# What went wrong, for a machine (`code`) and for a person (`text`); never a secret.
class Trouble(Exception):
    def __init__(self, code, text):
        super().__init__(code, text)
        self.code = code
        self.text = text


# Who this board is; the same before and after enrolment.
def identify():
    from . import board
    from .keys import soft

    key = soft.load()
    return {
        "chip": board.chip(),
        "mac": board.mac().hex(),
        "version": VERSION,
        "build": "P2" if board.hardened() else "P0",
        "frozen": board.frozen(),
        "sealed": board.sealed(),
        "key": key.public.hex() if key else None,
    }


# Makes the board's key, once, and shows the fuses that the host keeps as provisioning record.
def enroll():
    from . import board
    from .keys import soft

    key = soft.create()
    return {
        "public_key": key.public.hex(),
        "fuses": board.fuses()["fuses"].hex(),
        "chip": board.chip(),
        "mac": board.mac().hex(),
        "key_origin": soft.ORIGIN,
    }


# Evidence for this challenge, with its claims-set unless `bundle` is false.
def answer(nonce, bundle=True):
    from . import attest

    if len(nonce) != _NONCE_BYTES:
        raise Trouble("nonce.size", "the nonce has %d bytes, want %d" % (len(nonce), _NONCE_BYTES))
    evidence = attest.Evidence(_board(), _key(), nonce)
    return evidence.bundle() if bundle else evidence.bare()


# Closes the prompt of a hardened build for good, then restarts.
def seal():
    import machine

    from . import board

    if not board.hardened():
        raise ValueError("a stock build cannot be sealed: its prompt is built in")
    board.seal()
    machine.reset()


# What main.py calls: report for ever, until Ctrl-C on a board that is not sealed.
def run():
    from .link import http

    http.run(_board, _key)


def _board():
    from . import board, settings

    return board.Board(settings.read())


def _key():
    from .keys import soft

    key = soft.load()
    if key is None:
        raise Trouble("key.missing", "this board has no key yet: enroll it first")
    return key
