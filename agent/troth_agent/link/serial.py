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


def _answer(nonce, bundle):
    try:
        nonce = bytes.fromhex(nonce)
    except (TypeError, ValueError):
        raise Trouble("nonce.hex", "the nonce is not hex")
    evidence = troth_agent.answer(nonce, bundle)
    return {"evidence": b2a_base64(evidence).decode().strip()}


# The line goes out before the board restarts.
def _seal():
    from troth_agent import identity

    if not identity.hardened():
        raise Trouble("seal.stock", "a stock build cannot be sealed: its prompt is built in")
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
