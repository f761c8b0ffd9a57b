# The verifier's word that evidence is on its disk, or a new key in its registry (troth.cddl
# `receipt`): the only thing that lets a board forget. A COSE_Sign1 with ES256 under the key that
# provisioning pinned.
from hashlib import sha256

from micropython import const

from . import Trouble, cbor, decode, forget

_TAG = const(0xD2)
_PROTECTED = b"\xa2\x01\x26\x10\x19\xfd\xea"  # {1: -7, 16: 65002}: no other message of ours has it
_UEID = const(256)
_DIGESTS = const(-80003)
_KEY = const(-80005)


# The digests that this receipt confirms for this board; `key` is x || y.
def read(message, key, ueid):
    digests = _said(message, key, ueid).get(_DIGESTS)
    if not isinstance(digests, list):
        raise _bad("it names no evidence")
    return digests


# The id of the key by which the verifier knows this board from now on.
def registered(message, key, ueid):
    return _said(message, key, ueid).get(_KEY)


def _said(message, key, ueid):
    said = decode.item(message[1:]) if message[:1] == bytes((_TAG,)) else None
    if not isinstance(said, list) or len(said) != 4:
        raise _bad("it is no COSE_Sign1")
    protected, unprotected, payload, signature = said
    if protected != _PROTECTED or unprotected != {} or not isinstance(payload, bytes):
        raise _bad("it is of another kind")
    if not isinstance(signature, bytes) or len(signature) != 64:
        raise _bad("it has no signature")
    structure = cbor.encode(["Signature1", protected, b"", payload])
    if not _verify(key, sha256(structure).digest(), signature):
        raise _bad("it is not signed with the receipt_key of /troth.json")
    said = decode.item(payload)
    if not isinstance(said, dict) or said.get(_UEID) != ueid:
        raise _bad("it is for another board")
    return said


def _verify(key, digest, signature):
    from . import p256_public

    good = p256_public.verify(key, digest, signature)
    forget("p256_public", "p256", "p256_table")
    return good


def _bad(why):
    return Trouble("receipt.bad", "a receipt is not believed: " + why)
