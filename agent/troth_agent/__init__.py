# Troth's agent: a board gives its word. Nothing is imported or done before it is asked for.
import gc
import sys

import micropython

VERSION = "0.1.0"


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


# What is asked of a board now and then is loaded when it is asked.
def identify():
    from . import asked

    return asked.identify()


def enroll():
    from . import asked

    return asked.enroll()


def answer(nonce, bundle=True):
    from . import asked

    return asked.answer(nonce, bundle)


def seal():
    from . import asked

    asked.seal()


_declared: dict = {}  # label -> value


# What nobody but the application's maker can say of it: declared.py has the names.
def declare(**said):
    from . import declared

    declared.add(_declared, said)
    forget("declared")


# What main.py calls: report for ever, until Ctrl-C on a board that is not sealed. `feed` is called
# at least once a second, save while the board signs: a watchdog's feed().
def run(feed=None):
    _settle(feed)
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
    _settle(feed)
    from . import loop

    ms = loop.finish(loop.rounds(_board, _key, True), feed)
    return None if ms is None else ms // 1000


# The loop has the board to itself: from here on only the agent is compiled, and line numbers would
# cost heap. What a boot is measured for comes first of all, while the heap is whole.
def _settle(feed):
    micropython.opt_level(3)
    gc.threshold(4096)  # what stays gathers at the heap's beginning
    gc.collect()
    from . import boot

    boot.this(feed)
    gc.collect()


def _board():
    forget("files", "secrets", "claims", "p256", "p256_table")  # after a failure
    forget("link.http", "link.apart", "link.mqtt", "link.connection")  # until needed
    from . import settings

    said = settings.read()
    forget("settings", "choices")
    gc.collect()
    from . import board

    return board.Board(said)


def _key():
    gc.collect()
    from . import keys

    signer, settings = keys.chosen()
    forget("keys")
    key = signer.load(settings)
    if key is None:
        raise Trouble("key.missing", "this board has no key yet: enroll it first")
    return key
