# The link over MQTT and TLS: what a report asks, on topics of the board's own (wire.md).
from binascii import hexlify
from hashlib import sha256

from micropython import const

from .. import Trouble
from . import connection, packets

_PORT = const(8883)
_HEARD = (b"challenge", b"answer", b"receipt")


# The board's ueid is its client id and, unless the settings name another, its user name: by that
# the broker's access list confines it to its own topics.
def open(settings, context, ueid):
    host, _, port = settings["url"].split("://", 1)[1].partition(":")
    connected = yield from connection.connect(host, int(port or _PORT), context)
    link = Link(connected, hexlify(ueid))
    try:
        yield from link.greet(settings.get("user"), settings.get("password"))
        yield from link.subscribe(*[link.own(name) for name in _HEARD])
    except BaseException:
        link.close()
        raise
    return link


class Link(packets.Client):
    why = ""
    rotate = None

    def challenge(self):
        said = yield from self._ask(b"challenge", b"")
        if len(said) != 42 or said[7:10] != b"\x0a\x58\x20":  # {4: expiry, 10: nonce}
            raise Trouble("mqtt.reply", "the verifier sent no challenge")
        return said[10:]

    # The answer names the evidence: one to an earlier report may still be on its way.
    def deliver(self, evidence):
        digest = sha256(evidence).digest()
        yield from self.publish(self.own(b"evidence"), evidence)
        for _ in range(packets.MOST_PACKETS):
            said = yield from self.receive(self.own(b"answer"))
            if said[:32] == digest:
                return self._status(said[32:])
        raise packets.broken("too many packets")

    def epoch(self):
        yield from self.subscribe(packets.EPOCH)
        return (yield from self.receive(packets.EPOCH))

    def receipt(self, digests):
        return (yield from self._ask(b"receipt", b"".join(digests)))

    # The map `answer` of troth.cddl.
    def _status(self, said):
        from .. import decode, forget

        try:
            status, self.why = decode.answer(said)
        finally:
            forget("decode")
        return status

    # What comes on a topic of this board's own, once it was asked for.
    def _ask(self, name, body):
        yield from self.publish(self.own(b"ask"), body)
        return (yield from self.receive(self.own(name)))

    def own(self, name):
        return b"troth/v1/d/" + self._name + b"/" + name
