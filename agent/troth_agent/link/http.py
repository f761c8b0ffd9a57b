# Challenge and response over HTTPS (the challenge-response API that Veraison made known), and the
# loop that keeps reporting.
import gc
import json
import os
import time
from binascii import a2b_base64, hexlify

import micropython
from micropython import const

from .. import Trouble, attest, identity, nvs
from . import connection

_CWT = "application/eat+cwt"
_BUNDLE = "application/eat-bun+cbor"

_MAX_WAIT_S = const(900)
_NOT_PROVISIONED = ("settings.missing", "link.none", "key.missing")


# One report. `known` is the digest of the claims-set that the verifier has, or None when nobody
# remembers; gives back the digest that it has now. Facts first, TLS's largest block, the key, then
# the connection: each while there is heap for it. The version of TLS is a fact as well: another one
# than last time is looked up anew.
def report(the_board, key, known=None):
    url = the_board.settings["url"]
    if not url:
        raise Trouble("link.none", "no server in /troth.json: this board answers over serial only")
    for _ in range(2):
        claims_set = the_board.claims_set()
        context = connection.trust(the_board.ca())
        signer = key()
        link = connection.Connection(url, context)
        try:
            if link.tls_version() == nvs.recall(nvs.TLS, 0):
                return _deliver(link, the_board.session(), claims_set, signer, known)
            nvs.remember(nvs.TLS, link.tls_version())
        finally:
            link.close()
    raise Trouble("link.tls", "the server takes another version of TLS each time")


def _deliver(link, session, claims_set, key, known):
    path, nonce = _new_session(link, session["ueid"])
    evidence = attest.Evidence(claims_set, session, key, nonce)
    bundle = known is not None and known != evidence.digest
    waiting = _submit(link, path, evidence, bundle)
    if waiting and not bundle:
        waiting = _submit(link, path, evidence, True)
    if waiting:
        raise Trouble("http.reply", "the server has the claims-set and still waits")
    return evidence.digest


# Reports every interval; after a failure tries again after a random while whose bound doubles.
# Ctrl-C ends it, except on a sealed board; so does a board that nobody has provisioned.
def run(the_board, key):
    sealed = identity.sealed()
    if sealed:
        micropython.kbd_intr(-1)
    known = None
    failures = 0
    while True:
        try:
            now = the_board()
            known = report(now, key, known)
            failures = 0
            time.sleep_ms(now.settings["interval_s"] * 1000)
            continue
        except KeyboardInterrupt:
            if not sealed:
                print("troth: stopped")
                return
        except Trouble as err:
            print("troth: [%s] %s" % (err.code, err.text))
            if err.code in _NOT_PROVISIONED and not sealed:
                return
        except OSError as err:
            print("troth: [link.io] errno %s" % err.errno)
        except MemoryError:
            print("troth: [board.memory] out of memory")
        except Exception as err:  # the outermost loop: a board in the field must go on
            print("troth: [agent.error] %s" % type(err).__name__)
        failures += 1
        if _pause(failures) and not sealed:
            print("troth: stopped")
            return


# Between one second and a bound that doubles up to a quarter of an hour. True after Ctrl-C.
def _pause(failures):
    bound_ms = min(_MAX_WAIT_S, 1 << min(failures, 10)) * 1000
    share = int.from_bytes(os.urandom(2), "big")
    try:
        gc.collect()
        time.sleep_ms(1000 + (bound_ms - 1000) * share // 65536)
        return False
    except KeyboardInterrupt:
        return True


# A challenge for this board alone.
def _new_session(link, ueid):
    asked = "newSession?nonceSize=32&ueid=" + hexlify(ueid).decode()
    status, location, body = link.post(asked, connection.SESSION, b"")
    if status != 201 or not location:
        raise _refused("newSession", status, body)
    try:
        nonce = a2b_base64(json.loads(body)["nonce"])
    except (ValueError, KeyError, TypeError):
        nonce = b""
    if len(nonce) != 32:
        raise Trouble("http.reply", "newSession gave no nonce of 32 bytes")
    return location, nonce


# True when the server waits for the claims-set as well.
def _submit(link, path, evidence, bundle):
    kind, body = (_BUNDLE, evidence.bundle()) if bundle else (_CWT, evidence.bare())
    status, _, reply = link.post(path, kind, body)
    if status != 200:
        raise _refused("the server", status, reply)
    at = reply.find(b'"status"')
    said = reply[at : at + 24]
    if at < 0 or not (b'"waiting"' in said or b'"complete"' in said):
        raise Trouble("http.reply", "the reply has no status")
    return b'"waiting"' in said


# The problem's code (RFC 9457) says more than the number.
def _refused(who, status, body):
    code = ""
    try:
        code = " (%s)" % json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        pass
    return Trouble("http.status", "%s answered %d%s" % (who, status, code[:64]))
