# The agent on the far end of a serial line: every call prints one line `troth: {json}` and nothing
# else, so that the host finds it among whatever the board prints.
import json
from binascii import b2a_base64

import troth_agent
from troth_agent import Trouble


def identify():
    _say(troth_agent.identify)


def enroll():
    _say(troth_agent.enroll)


# `nonce` in hex
def answer(nonce, bundle=True):
    _say(lambda: _answer(nonce, bundle))


def seal():
    _say(_seal)


# Meets the server of its settings, so that the version of TLS is known before the first report.
def reach():
    _say(_reach)


# A next key, vouched for by the one in force and by itself; `nonce` in hex
def rotate(nonce):
    _say(lambda: _rotate(nonce))


# The next key, which the host has registered under this id, is in force.
def adopt(kid):
    _say(lambda: _adopt(kid))


def _answer(nonce, bundle):
    evidence = troth_agent.answer(_bytes(nonce), bundle)
    return {"evidence": b2a_base64(evidence).decode().strip()}


def _reach():
    from troth_agent import identity, loop, nvs
    from troth_agent.link import connection

    def steps(board):
        settings, context = board.settings, connection.trust(board.ca())
        link = yield from loop.road(settings).open(settings, context, identity.ueid())
        try:
            yield from link.challenge()
            return link.tls_version()
        finally:
            link.close()

    try:
        return {"tls": nvs.remember(nvs.TLS, loop.finish(steps(troth_agent._board())))}
    except OSError as err:
        raise Trouble("link.io", "errno %s" % err.errno)


def _rotate(nonce):
    from troth_agent import rotate

    return {"rotation": b2a_base64(rotate.message(_bytes(nonce))).decode().strip()}


def _adopt(kid):
    from troth_agent import rotate

    rotate.adopt(_bytes(kid))
    return {"kid": kid}


def _bytes(text):
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        raise Trouble("nonce.hex", "the nonce is not hex")


# The line goes out before the board restarts.
def _seal():
    from troth_agent import identity

    if not identity.hardened():
        raise Trouble("seal.stock", "a stock build has a prompt built in")
    print("troth: " + json.dumps({"sealed": True}))
    troth_agent.seal()


def _say(ask):
    try:
        said = ask()
    except Trouble as err:
        said = {"error": err.code, "text": err.text}
    except MemoryError:
        said = {"error": "board.memory", "text": "out of memory"}
    except OSError as err:
        said = {"error": "board.io", "text": "errno %s" % err.errno}
    if said is not None:
        print("troth: " + json.dumps(said))
