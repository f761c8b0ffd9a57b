# Troth's agent: a board gives its word. Nothing is imported or done before it is asked for.
import gc
import sys
import time

import micropython
from micropython import const

VERSION = "0.1.0"
_NONCE_BYTES = const(32)
_SIGN_MS = const(1000)


# What went wrong, for a machine (`code`) and for a person (`text`), never a secret; and for how
# long a server asks to be left alone.
class Trouble(Exception):
    def __init__(self, code, text, wait_s=0):
        super().__init__(code, text)
        self.code = code
        self.text = text
        self.wait_s = wait_s


# Lets go of modules that have done their work, and of the heap they take.
def forget(*names):
    for name in names:
        path = __name__ + "." + name
        if sys.modules.pop(path, None) is not None:
            package, _, last = path.rpartition(".")
            delattr(sys.modules[package], last)
    gc.collect()


# Who this board is; the same before and after enrolment.
def identify():
    from . import firm, identity, keys

    said = {
        "chip": firm.chip(),
        "mac": identity.mac().hex(),
        "version": VERSION,
        "build": "P2" if identity.hardened() else "P0",
        "frozen": identity.frozen(),
        "sealed": identity.sealed(),
    }
    said.update(keys.describe())
    return said


# Makes the board's key, once, or proves the one in its silicon; shows the fuses that the host keeps
# as provisioning record.
def enroll():
    from . import firm, identity, keys

    signer, settings = keys.chosen()
    key = signer.create(settings)
    return {
        "public_key": key.public.hex() if key.public else None,
        "fuses": firm.fuses()["fuses"].hex(),
        "chip": firm.chip(),
        "mac": identity.mac().hex(),
        "key_origin": signer.ORIGIN,
        "alg": key.alg,
        "kid": key.kid.hex(),
    }


# Evidence for this challenge, with its claims-set unless `bundle` is false.
def answer(nonce, bundle=True):
    if len(nonce) != _NONCE_BYTES:
        raise Trouble("nonce.size", "the nonce has %d bytes, want %d" % (len(nonce), _NONCE_BYTES))
    _measure()
    from . import attest

    board = _board()
    claims_set = board.claims_set()
    _pace()
    evidence = attest.Evidence(claims_set, board.session(), _key(), nonce)
    return evidence.bundle() if bundle else evidence.bare()


_signed: list = []


# Nobody gets more than one signature a second. The loop's pauses see to that by themselves.
def _pace():
    now = time.ticks_ms()
    wait = _SIGN_MS - time.ticks_diff(now, _signed[0]) if _signed else 0
    if 0 < wait <= _SIGN_MS:
        time.sleep_ms(wait)
    _signed[:] = [time.ticks_ms()]


_declared: dict = {}  # label -> value


# What nobody but the application's maker can say of it: declared.py has the names.
def declare(**said):
    from . import declared

    declared.add(_declared, said)
    forget("declared")


# Closes the prompt of a hardened build for good, then restarts.
def seal():
    import machine

    from . import identity

    if not identity.hardened():
        raise ValueError("a stock build cannot be sealed: its prompt is built in")
    identity.seal()
    machine.reset()


# What main.py calls: report for ever, until Ctrl-C on a board that is not sealed. `feed` is called
# at least once a second, save while the board signs: a watchdog's feed().
def run(feed=None):
    _settle()
    from . import loop

    loop.run(_board, _key, feed)


# The same as a task in the application's asyncio loop, which goes on meanwhile; cancel it to stop.
def start(feed=None):
    import asyncio

    from . import task

    return asyncio.create_task(task.run(_board, _key, feed))


# For a board that sleeps deeply: one report, and the seconds to sleep before the next. None from a
# board that nobody has provisioned.
def once(feed=None):
    _settle()
    from . import loop

    ms = loop.finish(loop.rounds(_board, _key, True), feed)
    return None if ms is None else ms // 1000


# The loop has the board to itself: from here on only the agent is compiled, and line numbers would
# cost heap.
def _settle():
    micropython.opt_level(3)
    _measure()


# First of all, while the heap is whole.
def _measure():
    gc.collect()
    from . import boot

    boot.this()
    gc.collect()


def _board():
    forget("files", "secrets", "survey", "claims", "p256", "curve", "p256_table")  # after a failure
    forget("link.http", "link.apart", "link.web", "link.mqtt", "link.connection")  # until needed
    from . import settings

    said = settings.read()
    forget("settings")
    gc.collect()
    from . import board

    return board.Board(said)


def _key():
    gc.collect()
    from . import keys

    signer, settings = keys.chosen()
    key = signer.load(settings)
    if key is None:
        raise Trouble("key.missing", "this board has no key yet: enroll it first")
    gc.collect()
    if signer.ORIGIN == "nvs":
        from . import p256  # noqa: F401  (now, while there is room to compile it)

    return key
