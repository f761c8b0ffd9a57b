# MQTT 3.1.1 over a connection, as little of it as a report needs. Packets are read one at a time,
# none above 1 kB; of each topic that was asked for, the newest message is kept. That a broker took
# a message (PUBACK) proves nothing, and what it kept for all who come (retained) is old.
import errno

from micropython import const

from .. import Trouble
from . import connection

_CONNECT = const(0x10)
_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_PUBACK = const(0x40)
_SUBSCRIBE = const(0x82)
_SUBACK = const(0x90)
_PINGREQ = const(0xC0)
_PINGRESP = const(0xD0)
_DISCONNECT = const(0xE0)

_QOS_1 = const(0x02)
_RETAINED = const(0x01)
_KEEP_ALIVE_S = const(120)  # above any pause of one exchange: a board takes its time to sign
_SMALL = const(256)
_MOST_BYTES = const(1024)  # of a packet: a receipt over 16 digests has some 700
MOST_PACKETS = const(32)  # that come while one is waited for
EPOCH = b"troth/v1/epoch"  # the one topic whose message is left with the broker on purpose

_WHY = (
    "it speaks another version of MQTT",
    "it does not like the client id",
    "it is unavailable",
    "user name or password is wrong",
    "this user may not connect",
)


class Client(connection.Connection):
    def __init__(self, connected, name):
        super().__init__(connected)
        self._name = name
        self._packet = 0
        self._inbox = {}
        self._greeted = False

    # A clean session: what must not be lost is kept by the board and by the verifier.
    def greet(self, user, password):
        said = [b"\x00\x04MQTT\x04", b"\x02", _two(_KEEP_ALIVE_S), _text(self._name)]
        if password is not None:
            said[1] = b"\xc2"
            said += (_text(user or self._name), _text(password))
        yield from self._tell(_CONNECT, b"".join(said))
        kind, body = yield from self._read()
        if kind != _CONNACK or len(body) != 2:
            raise broken("no CONNACK")
        if body[1]:
            why = _WHY[body[1] - 1] if body[1] <= len(_WHY) else "code %d" % body[1]
            raise Trouble("mqtt.refused", "the broker refused the connection: " + why)
        self._greeted = True

    # Leave is taken in one packet, if it can go at once.
    def close(self):
        try:
            if self._greeted:
                next(self._tell(_DISCONNECT, b""), None)
        except (OSError, Trouble):
            pass
        super().close()

    # At most once (QoS 0): what gets lost is asked for again.
    def subscribe(self, *topics):
        for topic in topics:
            self._inbox[topic] = None
        wanted = [_text(topic) + b"\x00" for topic in topics]
        yield from self._tell(_SUBSCRIBE, self._next() + b"".join(wanted))
        if (yield from self._await(_SUBACK)) != bytes(len(topics)):
            raise Trouble("mqtt.refused", "the broker lets this board not read its own topics")

    # At least once (QoS 1): returns when the broker has it.
    def publish(self, topic, body):
        yield from self._tell(_PUBLISH | _QOS_1, _text(topic) + self._next(), body)
        yield from self._await(_PUBACK)

    # The newest message of a topic. When none comes it is worth knowing whose silence it is.
    def receive(self, topic):
        try:
            for _ in range(MOST_PACKETS):
                body = self._inbox[topic]
                if body is not None:
                    self._inbox[topic] = None
                    return body
                kind, body = yield from self._read()
                self._keep(kind, body)
        except OSError as err:
            if err.args[0] != errno.ETIMEDOUT:
                raise
            yield from self._tell(_PINGREQ, b"")
            yield from self._await(_PINGRESP)
            raise Trouble("mqtt.silent", "the broker is there, the verifier does not answer")
        raise broken("too many packets")

    # What follows the packet id of the packet that is due; messages before it are kept.
    def _await(self, wanted):
        for _ in range(MOST_PACKETS):
            kind, body = yield from self._read()
            if kind == wanted:
                if kind != _PINGRESP and body[:2] != _two(self._packet):
                    raise broken("another packet id")
                return body[2:]
            self._keep(kind, body)
        raise broken("too many packets")

    def _keep(self, kind, body):
        end = 2 + int.from_bytes(body[:2], "big")
        if kind | _RETAINED != _PUBLISH | _RETAINED or not 2 < end <= len(body):
            raise broken("a packet that nobody asked for")
        topic = body[2:end]
        if topic in self._inbox and (kind == _PUBLISH or topic == EPOCH):
            self._inbox[topic] = body[end:]

    def _read(self):
        kind = (yield from self._exactly(1))[0]
        size = shift = 0
        while True:
            digit = (yield from self._exactly(1))[0]
            size |= (digit & 127) << shift
            if size > _MOST_BYTES or shift > 7:
                raise broken("a packet of more than %d bytes" % _MOST_BYTES)
            if digit < 128:
                return kind, (yield from self._exactly(size))
            shift += 7

    def _exactly(self, size):
        got = b""
        while len(got) < size:
            part = yield from self.read(size - len(got))
            if not part:
                raise OSError(errno.ECONNRESET)
            got += part
        return got

    # In one piece when it is small, for small pieces wait for each other on their way.
    def _tell(self, kind, said, body=b""):
        head = bytearray((kind,))
        size = len(said) + len(body)
        while size > 127:
            head.append(size & 127 | 128)
            size >>= 7
        head.append(size)
        if len(body) <= _SMALL:
            return (yield from self.send(bytes(head) + said + body))
        yield from self.send(bytes(head) + said)
        yield from self.send(body)

    def _next(self):
        self._packet = self._packet % 65535 + 1
        return _two(self._packet)


def broken(what):
    return Trouble("mqtt.packet", "the broker does not keep to MQTT: " + what)


def _two(number):
    return number.to_bytes(2, "big")


def _text(said):
    if isinstance(said, str):
        said = said.encode()
    return _two(len(said)) + said
