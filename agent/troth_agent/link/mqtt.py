# MQTT 3.1.1 over TLS, as little of it as a report needs. Packets are read one at a time, none above
# 1 kB; only topics that were asked for are kept, and of each the newest message. That a broker took
# a message (PUBACK) proves nothing about the verifier.
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
_MOST_BYTES = const(1024)  # of a packet: a receipt of 16 digests has some 700
_MOST_PACKETS = const(32)  # that come while one is waited for
_PORT = const(8883)
EPOCH = b"troth/v1/epoch"

_WHY = (
    "it speaks another version of MQTT",
    "it does not like the client id",
    "it is unavailable",
    "user name or password is wrong",
    "this user may not connect",
)


# One connection to the broker. `user` names the board to the broker's access list as well.
class Client(connection.Connection):
    def __init__(self, url, context, user, password, keep_alive_s):
        if url.count(":") < 2:
            url = "%s:%d" % (url, _PORT)
        super().__init__(url, context)
        self._packet = 0
        self._inbox = {}
        try:
            self._connect(user, password, keep_alive_s)
        except BaseException:
            self.end()
            raise

    # Clean session: what matters is kept by the board and by the verifier, not by the broker.
    def _connect(self, user, password, keep_alive_s):
        said = [b"\x00\x04MQTT\x04", b"", _two(keep_alive_s), _text(user)]
        if password is None:
            said[1] = b"\x02"
        else:
            said[1] = b"\xc2"
            said += (_text(user), _text(password))
        self._send(_CONNECT, b"".join(said))
        kind, body = self._read()
        if kind != _CONNACK or len(body) != 2:
            raise _broken("no CONNACK")
        if body[1]:
            why = _WHY[body[1] - 1] if body[1] <= len(_WHY) else "code %d" % body[1]
            raise Trouble("mqtt.refused", "the broker refused the connection: " + why)

    def subscribe(self, *topics):
        for topic in topics:
            self._inbox[topic] = None
        self._send(_SUBSCRIBE, self._next() + b"".join([_text(each) + b"\x01" for each in topics]))
        granted = self._await(_SUBACK, True)
        if len(granted) != len(topics) or max(granted) > 1:
            raise Trouble("mqtt.refused", "the broker lets this board not read its own topics")

    # Returns when the broker has it.
    def publish(self, topic, body):
        self._send(_PUBLISH | _QOS_1, _text(topic) + self._next(), body)
        self._await(_PUBACK, True)

    # The first of these topics that has a message, and the message; waits for one.
    def receive(self, *topics):
        for _ in range(_MOST_PACKETS):
            for topic in topics:
                body = self._inbox[topic]
                if body is not None:
                    self._inbox[topic] = None
                    return topic, body
            self._keep(*self._read())
        raise _broken("too many packets")

    # A connection that was left alone for a while may be gone without a word.
    def ping(self):
        self._send(_PINGREQ, b"")
        self._await(_PINGRESP, False)

    # Takes leave: without it a broker waits for what may still come.
    def end(self):
        try:
            self._send(_DISCONNECT, b"")
        except OSError:
            pass
        self.close()

    # What follows the packet id; messages that come before it are kept.
    def _await(self, wanted, numbered):
        for _ in range(_MOST_PACKETS):
            kind, body = self._read()
            if kind == wanted:
                if numbered and body[:2] != _two(self._packet):
                    raise _broken("another packet id")
                return body[2:]
            self._keep(kind, body)
        raise _broken("too many packets")

    # A retained message is an old one: only the epoch handle is left with the broker on purpose.
    def _keep(self, kind, body):
        qos = kind >> 1 & 3
        end = 2 + int.from_bytes(body[:2], "big")
        at = end + 2 * qos
        if kind & 0xF0 != _PUBLISH or qos > 1 or len(body) < at or len(body) < 2:
            raise _broken("a packet that nobody asked for")
        if qos:
            self._send(_PUBACK, body[end:at])
        topic = body[2:end]
        if topic in self._inbox and (not kind & _RETAINED or topic == EPOCH):
            self._inbox[topic] = body[at:]

    def _read(self):
        kind = self._exactly(1)[0]
        size = shift = 0
        while True:
            digit = self._exactly(1)[0]
            size |= (digit & 127) << shift
            if size > _MOST_BYTES or shift > 7:
                raise _broken("a packet of more than %d bytes" % _MOST_BYTES)
            if digit < 128:
                return kind, self._exactly(size)
            shift += 7

    def _exactly(self, size):
        got = b""
        while len(got) < size:
            part = self._stream.read(size - len(got))
            if not part:
                raise Trouble("mqtt.silent", "the broker broke off or fell silent")
            got += part
        return got

    def _send(self, kind, *parts):
        head = bytearray((kind,))
        size = sum([len(part) for part in parts])
        while size > 127:
            head.append(size & 127 | 128)
            size >>= 7
        head.append(size)
        self._stream.write(bytes(head) + parts[0])
        for part in parts[1:]:
            self._stream.write(part)

    def _next(self):
        self._packet = self._packet % 65535 + 1
        return _two(self._packet)


def _broken(what):
    return Trouble("mqtt.packet", "the broker does not keep to MQTT: " + what)


def _two(number):
    return number.to_bytes(2, "big")


def _text(said):
    if isinstance(said, str):
        said = said.encode()
    return _two(len(said)) + said
