# One report, and reporting for ever. What may take long is a generator: each `yield ms` says how
# long there is nothing to do, so the same steps serve a board that has nothing else to do and one
# that runs an application.
import gc
import os
import time

import micropython
from micropython import const

from . import Trouble, attest, identity, nvs
from .link import REFUSED, WANTED

_MAX_PAUSE_S = const(900)
_MAX_ASKED_S = const(3600)  # what a server may ask at most
_NOT_PROVISIONED = ("settings.missing", "link.none", "key.missing")


# One report. `known` is the digest of the claims-set that the verifier has, or None when nobody
# remembers; gives back the digest that it has now. Facts first, TLS's largest block, the key, then
# the connection: each while there is heap for it. The version of TLS is a fact as well: another one
# than last time is looked up anew.
def report(the_board, key, known=None):
    if not the_board.settings["url"]:
        raise Trouble("link.none", "no server in /troth.json: this board answers over serial only")
    for _ in range(2):
        claims_set = yield from the_board.steps()
        link = road(the_board.settings)
        from .link import connection

        context = connection.trust(the_board.ca())
        signer = key()
        link = yield from link.open(the_board.settings, context, identity.ueid())
        try:
            nonce = yield from link.challenge()
            if link.rotate == signer.kid.hex():
                from . import rotate

                signer, nonce = yield from rotate.over(link, key, nonce)
            if link.tls_version() == nvs.recall(nvs.TLS, 0):
                evidence = attest.Evidence(claims_set, the_board.session(), signer, nonce)
                yield from deliver(link, evidence, known)
                return evidence.digest
            nvs.remember(nvs.TLS, link.tls_version())
        finally:
            link.close()
    raise Trouble("link.tls", "the server takes another version of TLS each time")


# The module of the link that the settings name.
def road(settings):
    if settings["scheme"] == "mqtts":
        from .link import mqtt

        return mqtt
    if "fresh" in settings or "spool" in settings:
        from .link import apart

        return apart
    from .link import http

    return http


# The form in which the verifier took it.
def deliver(link, evidence, known):
    message = evidence.bundle() if known not in (None, evidence.digest) else evidence.bare()
    answer = yield from link.deliver(message)
    if answer == WANTED and known in (None, evidence.digest):
        message = evidence.bundle()
        answer = yield from link.deliver(message)
    if answer == WANTED:
        raise Trouble("link.reply", "the verifier has the claims-set and still asks for it")
    if answer == REFUSED:
        raise Trouble("link.refused", "the verifier refused the report: " + link.why)
    return message


# Report after report, for ever: what it yields is for how long there is nothing to do. It ends on a
# board that nobody has provisioned; after one report for a board that then sleeps deeply, with the
# ms until the next. Such a board forgets how often it failed: it does not come sooner than usual.
def rounds(board, key, once=False):
    known = away = None
    failures = interval_ms = 0
    while True:
        asked_s = 0
        try:
            now = board()
            interval_ms = now.settings["interval_s"] * 1000
            if now.settings["url"] and ("fresh" in now.settings or "spool" in now.settings):
                if away is None:
                    from .away import Away  # most boards never need it

                    away = Away()
                known = yield from away.report(now, key, known)
            else:
                known = yield from report(now, key, known)
            failures = 0
        except Trouble as err:
            print("troth: [%s] %s" % (err.code, err.text))
            if err.code in _NOT_PROVISIONED and not identity.sealed():
                return None
            failures += 1
            asked_s = err.wait_s
        except OSError as err:
            print("troth: [link.io] errno %s" % err.errno)
            failures += 1
        except MemoryError:
            print("troth: [board.memory] out of memory")
            failures += 1
        except Exception as err:  # the outermost loop: a board in the field must go on
            print("troth: [agent.error] %s" % type(err).__name__)
            failures += 1
        gc.collect()
        ms = pause_ms(failures, asked_s) if failures else interval_ms
        if once:
            return max(ms, interval_ms)
        yield ms


# Between one second and a bound that doubles up to a quarter of an hour, at random so that a fleet
# does not come back all at once; after what the server asked for, if it did.
def pause_ms(failures, asked_s=0):
    bound_ms = min(_MAX_PAUSE_S, 1 << min(failures, 10)) * 1000
    share = int.from_bytes(os.urandom(2), "big")
    return min(asked_s, _MAX_ASKED_S) * 1000 + 1000 + (bound_ms - 1000) * share // 65536


# For ever. Ctrl-C ends it, except on a sealed board.
def run(board, key, feed):
    sealed = identity.sealed()
    if sealed:
        micropython.kbd_intr(-1)
    while True:
        try:
            finish(rounds(board, key), feed)
            return
        except KeyboardInterrupt:
            if not sealed:
                print("troth: stopped")
                return


# Runs steps to their end, with nothing beside them.
def finish(steps, feed=None):
    try:
        while True:
            sleep(next(steps), feed)
    except StopIteration as end:
        return end.value
    finally:
        steps.close()  # interrupted: a connection may be open


# Long sleeps are cut where a watchdog must be fed.
def sleep(ms, feed):
    while feed and ms > 1000:
        feed()
        time.sleep_ms(1000)
        ms -= 1000
    if feed:
        feed()
    time.sleep_ms(ms)
