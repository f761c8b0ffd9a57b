# What is asked of a board by who stands before it: who it is, its key, its word on a challenge, and
# its seal.
import time

from micropython import const

import troth_agent
from troth_agent import VERSION, Trouble

_FUSES = const(29)  # label of troth.cddl
_NONCE_BYTES = const(32)
_SIGN_MS = const(1000)


# Who this board is; the same before and after enrolment.
def identify():
    from . import boot, firm, identity

    chip = firm.chip()
    boot.let_go()
    said = {
        "chip": chip,
        "mac": identity.mac().hex(),
        "version": VERSION,
        "build": "P2" if identity.hardened() else "P0",
        "frozen": identity.frozen(),
        "sealed": identity.sealed(),
    }
    said.update(describe_key())
    return said


# What the host may know of this board's key; why there is none, when that is not plain.
def describe_key():
    from . import keys

    key = None
    said = {}
    try:
        signer, settings = keys.chosen()
        said["key_origin"] = signer.ORIGIN
        key = signer.load(settings)
    except Trouble as err:
        said["key_trouble"] = err.code
    said["key"] = key.public.hex() if key and key.public else None
    said["kid"] = key.kid.hex() if key else None
    said["alg"] = key.alg if key else None
    return said


# Makes the board's key, once, or proves the one in its silicon; shows the fuses that the host keeps
# as provisioning record.
def enroll():
    from . import boot, firm, identity

    chip, fuses = firm.chip(), firm.fuses()[_FUSES].hex()
    boot.let_go()
    from . import keys

    signer, settings = keys.chosen()
    key = signer.create(settings)
    return {
        "public_key": key.public.hex() if key.public else None,
        "fuses": fuses,
        "chip": chip,
        "mac": identity.mac().hex(),
        "key_origin": signer.ORIGIN,
        "alg": key.alg,
        "kid": key.kid.hex(),
    }


# Evidence for this challenge, with its claims-set unless `bundle` is false.
def answer(nonce, bundle=True):
    if len(nonce) != _NONCE_BYTES:
        raise Trouble("nonce.size", "the nonce has %d bytes, want %d" % (len(nonce), _NONCE_BYTES))
    troth_agent.forget()  # a heap that is whole, for what measures
    from . import boot

    boot.this()
    troth_agent.forget()
    from . import attest

    board = troth_agent._board()
    claims_set = _last(board.steps())
    _pace()
    evidence = attest.Evidence(claims_set, board.session(), troth_agent._key(), nonce)
    return evidence.bundle() if bundle else evidence.bare()


def _last(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


_signed: list = []


# Nobody gets more than one signature a second. The loop's pauses see to that by themselves.
def _pace():
    now = time.ticks_ms()
    wait = _SIGN_MS - time.ticks_diff(now, _signed[0]) if _signed else 0
    if 0 < wait <= _SIGN_MS:
        time.sleep_ms(wait)
    _signed[:] = [time.ticks_ms()]


# Closes the prompt of a hardened build for good, then restarts.
def seal():
    import machine

    from . import identity

    if not identity.hardened():
        raise ValueError("a stock build cannot be sealed: its prompt is built in")
    identity.seal()
    machine.reset()
