# A new key in place of the one in force, in two steps that a power cut may part. First the next key
# is made beside it and both sign for it; then, once the host has registered it, it takes the old
# one's place. Until then the board works on with the old one, and the next one waits. The host asks
# at the serial line, or the verifier with a challenge.
import esp32

from . import Trouble, cbor, cose, forget, identity, loop, nvs
from .keys import chosen

_CNF = 8  # RFC 8747: whose key
_NONCE = 10
_UEID = 256
_KIND = "application/troth-rotation+cose"
_NEXT = "next"


# In answer to a challenge: back come the key in force and the nonce of another challenge, for the
# report. Whatever fails here, the report goes on, under a key that the verifier knows.
def over(link, key, nonce):
    try:
        yield from _turn(link, nonce)
    except Trouble as err:
        print("troth: [%s] %s" % (err.code, err.text))
    except (OSError, MemoryError) as err:
        print("troth: [key.kept] %s: the old key stays" % type(err).__name__)
    forget("rotate", "receipt", "keys.birth", "p256_public", "p256", "p256_table")
    yield 1000  # one report a second
    return key(), (yield from link.challenge())


def _turn(link, nonce):
    pinned = chosen()[1].get("receipt_key")
    if not isinstance(pinned, str) or len(pinned) != 128:
        raise Trouble("settings.receipt_key", "without it no new key is believed to be registered")
    said = yield from steps(nonce)
    where = "/troth/v1/rotation/" + link.location[8:]  # of the session
    status, reply = yield from link.ask("POST", where, "application/cose", said)
    if status != 200:
        raise link.refused("the verifier", status, reply)
    from . import receipt

    adopt(receipt.registered(reply, bytes.fromhex(pinned), identity.ueid()))


def message(nonce):
    return loop.finish(steps(nonce))


# The old key vouches for the new one, and the new one shows that it is there. Each signature is a
# step of its own.
def steps(nonce):
    old, following = _keys()
    new = following.waiting()
    if new is None or new.kid == old.kid:
        new = following.make()
    yield 0
    key = {1: 2, -1: 1, -2: new.public[:32], -3: new.public[32:]}
    said = cbor.encode({_CNF: {1: key}, _NONCE: nonce, _UEID: identity.ueid()})
    vouched = cbor.encode(cose.seal(said, old, _KIND))
    yield 0
    return cbor.encode(cose.seal(vouched, new, _KIND))


# The key that waits and has this id is in force from here on; done twice it is done once.
def adopt(kid):
    old, following = _keys()
    new = following.waiting()
    if new is not None and new.kid == kid:
        following.adopt()
    elif old.kid != kid:
        raise Trouble("key.other", "no key with this id waits on this board")


def _keys():
    signer, settings = chosen()
    if signer.ORIGIN == "efuse":
        raise Trouble("signer.burned", "a key in fuses is burned once and cannot be rotated")
    old = signer.load(settings)
    if old is None:
        raise Trouble("key.missing", "this board has no key yet: enroll it first")
    return old, _InElement(settings) if signer.ORIGIN == "secure-element" else _InFlash()


# Both keys lie in NVS, each blob whole or not at all.
class _InFlash:
    def waiting(self):
        from .keys import soft

        return soft.load(None, _NEXT)

    def make(self):
        from .keys import birth

        birth.bear("troth", _NEXT)
        return self.waiting()

    def adopt(self):
        store = esp32.NVS("troth")
        blob = bytearray(96)
        store.get_blob(_NEXT, blob)
        store.set_blob("key", blob)
        store.commit()
        store.erase_key(_NEXT)
        store.commit()


# The keys lie in two slots of the element, NVS says which is in force. Never back to slot 0, which
# many elements lock for good.
class _InElement:
    def __init__(self, settings):
        self._settings = settings

    def waiting(self):
        from .keys import atecc608

        slot = nvs.recall(_NEXT, None)
        return None if slot is None else atecc608.load(self._settings, slot)

    def make(self):
        from .keys import atecc608

        slot = 2 if atecc608.slot_of(self._settings) == 1 else 1
        key = atecc608.make(self._settings, slot)
        nvs.remember(_NEXT, slot)
        return key

    def adopt(self):
        from .keys import atecc608

        nvs.remember(atecc608.SLOT, nvs.recall(_NEXT, 0))
