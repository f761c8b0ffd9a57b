# Reports of a board that sleeps or was away. They answer an epoch handle, which is good for a while
# and for everybody, where a challenge cannot be had; and with a spool none is forgotten before the
# verifier has signed that it is on its disk.
import time
from hashlib import sha256

from micropython import const

from . import Trouble, attest, decode, forget, identity, loop, nvs
from .link import ACCEPTED, LATE
from .spool import ROUTINE, Spool

_BATCH = const(8)  # digests of one receipt
_AGAIN_MS = const(900_000)  # until the same is spooled again
_DROPPED = const(-80004)
_EPOCH_S = const(21600)  # until a newer handle is written down, for a start without network


class Away:
    def __init__(self):
        self._epoch = None
        self._put, self._put_ms = None, time.ticks_ms()
        self._refused = []
        self._stumbled = []
        self._dropped = 0  # reports that made room, until the verifier has been told

    # As loop.report(). Whatever fails on the way, a spool then has the report.
    def report(self, the_board, key, known=None):
        settings = the_board.settings
        for _ in range(2):
            claims_set = yield from the_board.steps()
            spool = Spool(the_board.root) if "spool" in settings else None
            try:
                done = yield from self._online(the_board, key, claims_set, known, spool)
            except (OSError, Trouble):
                if spool:
                    yield 1000  # one signature a second
                    self._keep(the_board, key, claims_set, spool)
                raise
            if done:
                return sha256(claims_set).digest()
        raise Trouble("link.tls", "the server takes another version of TLS each time")

    # False when the version of TLS is not the one that the claims-set tells.
    def _online(self, the_board, key, claims_set, known, spool):
        settings = the_board.settings
        link = loop.road(settings)
        from .link import connection

        context = connection.trust(the_board.ca())
        signer = key()
        link = yield from link.open(settings, context, identity.ueid())
        try:
            nonce = self._take((yield from link.epoch()), spool)
            if link.tls_version() != nvs.recall(nvs.TLS, 0):
                nvs.remember(nvs.TLS, link.tls_version())
                return False
            if spool:
                yield from self._drain(link, settings["receipt_key"], spool)
            if "fresh" not in settings:
                nonce = yield from link.challenge()
                if link.rotate == signer.kid.hex():
                    from . import rotate

                    signer, nonce = yield from rotate.over(link, key, nonce)
            try:
                evidence = self._evidence(the_board, claims_set, signer, nonce)
                message = yield from loop.deliver(link, evidence, known)
            except Trouble:
                if "fresh" not in settings or not link.why.startswith("nonce."):
                    raise
                # a broker can make a handle up; the verifier then gives a challenge of its own
                yield 1000  # one signature a second
                nonce = yield from link.challenge()
                evidence = self._evidence(the_board, claims_set, signer, nonce)
                message = yield from loop.deliver(link, evidence, known)
            if spool:
                digest = sha256(message).digest()
                if digest not in (yield from _confirmed(link, settings["receipt_key"], [digest])):
                    raise Trouble("receipt.missing", "the verifier did not confirm the report")
                self._dropped = 0
            return True
        finally:
            link.close()

    def _evidence(self, the_board, claims_set, signer, nonce):
        session = the_board.session()
        if self._dropped:
            session[_DROPPED] = self._dropped
        return attest.Evidence(claims_set, session, signer, nonce)

    # The handle out of the verifier's message.
    def _take(self, message, spool):
        handle, issued, _ = decode.epoch(message)
        self._epoch = handle
        if spool:
            old = _written_down(spool)
            if old is None or not 0 <= issued - old[1] < _EPOCH_S:
                try:
                    spool.keep_epoch(message)
                except OSError:
                    pass  # a full flash keeps no board from reporting
        return handle

    # The same again is not news, and flash wears.
    def _keep(self, the_board, key, claims_set, spool):
        digest = sha256(claims_set).digest()
        now = time.ticks_ms()
        if digest == self._put and 0 <= time.ticks_diff(now, self._put_ms) < _AGAIN_MS:
            return
        if self._epoch is None:
            old = _written_down(spool)
            if old is None:
                return  # never was there a verifier to give one
            self._epoch = old[0]
        kind = spool.kind(digest)
        evidence = attest.Evidence(claims_set, the_board.session(), key(), self._epoch)
        spool.put(evidence.bare() if kind == ROUTINE else evidence.bundle(), kind, digest)
        self._put, self._put_ms = digest, now

    # All that the spool holds, in order. One that the verifier refuses stays, and is not offered
    # again before the next start; one that it stumbles over waits for the round after the next.
    def _drain(self, link, key, spool):
        names = [name for name in spool.names() if name not in self._refused + self._stumbled]
        if not self._stumbled:  # else others left numbers open
            self._dropped = max(self._dropped, spool.dropped())
        self._stumbled = []
        if names:
            print("troth: %d reports wait, %d were dropped" % (len(names), self._dropped))
        sent = {}
        for name in names:
            evidence = spool.read(name)
            try:
                answer = yield from link.deliver(evidence)
            except Trouble as err:
                if err.code != "http.status" or err.wait_s:
                    raise
                print("troth: [%s] %s" % (err.code, err.text))
                self._stumbled.append(name)
                continue
            if answer in (ACCEPTED, LATE):
                sent[sha256(evidence).digest()] = name
            else:
                print("troth: [spool.refused] %s" % (link.why or "its claims-set is not known"))
                self._refused.append(spool.demote(name))
            if len(sent) == _BATCH:
                yield from _let_go(link, key, spool, sent)
        if sent:
            yield from _let_go(link, key, spool, sent)


# The handle that outlived the last start, as decode.epoch() has it.
def _written_down(spool):
    try:
        return decode.epoch(spool.epoch())
    except (OSError, Trouble):
        return None


# What the verifier signs that it has on disk leaves the spool.
def _let_go(link, key, spool, sent):
    for digest in (yield from _confirmed(link, key, list(sent))):
        if digest in sent:
            spool.free(sent[digest])
    sent.clear()


def _confirmed(link, key, digests):
    message = yield from link.receipt(digests)
    from . import receipt

    try:
        return receipt.read(message, key, identity.ueid())
    finally:
        forget("receipt")
