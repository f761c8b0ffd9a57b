# The link over HTTPS: challenge and response (the API that Veraison made known), and Troth's own
# requests for a board that sleeps or was away.
import json
from binascii import a2b_base64, hexlify

from micropython import const

from .. import Trouble
from . import ACCEPTED, WANTED, connection

_SESSION = "application/vnd.veraison.challenge-response-session+json"
_SESSIONS = "/challenge-response/v1/"
_TROTH = "/troth/v1/"
_CBOR = "application/cbor"
_DIGESTS = "application/octet-stream"

_MAX_LINE = const(512)
_MAX_HEADERS = const(32)
_KEEP = const(512)  # bytes of a reply that are read with care; an EAR behind them is let pass
_MAX_BODY = const(16384)
_BUNDLE_HEAD = const(0xD9)  # a tag above 255; a bare token has 0xD1 or 0xD2


def open(settings, context, ueid):
    host, port, base = _split(settings["url"])
    connected = yield from connection.connect(host, port, context)
    return Link(connected, "%s:%d" % (host, port), base, hexlify(ueid).decode())


class Link(connection.Connection):
    why = ""

    def __init__(self, connected, name, base, ueid):
        super().__init__(connected)
        self._name = name
        self._base = base
        self._ueid = ueid
        self._session = None

    def challenge(self):
        status, body = yield from self._ask(
            "POST", _SESSIONS + "newSession?nonceSize=32&ueid=" + self._ueid, _SESSION
        )
        if status != 201 or not self._session:
            raise self._refused("newSession", status, body)
        try:
            nonce = a2b_base64(json.loads(body)["nonce"])
        except (ValueError, KeyError, TypeError):
            nonce = b""
        if len(nonce) != 32:
            raise Trouble("http.reply", "newSession gave no nonce of 32 bytes")
        return nonce

    # In the session that challenge() opened, if it did, or on its own.
    def deliver(self, evidence):
        bundle = evidence[0] == _BUNDLE_HEAD
        kind = "application/" + ("eat-bun+cbor" if bundle else "eat+cwt")
        if not self._session:
            return self._alone((yield from self._plain("POST", "evidence", kind, evidence)))
        status, body = yield from self._ask("POST", _SESSIONS + self._session, kind, evidence)
        if status != 200:
            raise self._refused("the server", status, body)
        at = body.find(b'"status"')
        said = body[at : at + 24]
        if at >= 0 and b'"waiting"' in said:
            return WANTED
        if at < 0 or b'"complete"' not in said:
            raise Trouble("http.reply", "the reply has no status")
        self._session = None
        return ACCEPTED

    def epoch(self):
        return (yield from self._plain("GET", "epoch", _CBOR))

    def receipt(self, digests):
        path = "receipt?ueid=" + self._ueid
        return (yield from self._plain("POST", path, _DIGESTS, b"".join(digests)))

    # The map `answer` of troth.cddl.
    def _alone(self, body):
        from .. import decode, forget

        try:
            status, self.why = decode.answer(body)
        finally:
            forget("decode")
        return status

    # Troth's own requests need no session.
    def _plain(self, verb, path, kind, body=b""):
        self._session = None
        status, reply = yield from self._ask(verb, _TROTH + path, kind, body)
        if status != 200:
            raise self._refused("the server", status, reply)
        return reply

    # Status and the first bytes of the reply.
    def _ask(self, verb, path, kind, body=b""):
        yield from self.send(
            (
                "%s %s%s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nContent-Type: %s\r\n"
                "Content-Length: %d\r\n\r\n"
                % (verb, self._base, path, self._name, _SESSION, kind, len(body))
            ).encode()
        )
        yield from self.send(body)
        status = (yield from self._line()).split(b" ")
        if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
            raise Trouble("http.reply", "the server does not speak HTTP")
        length = yield from self._headers()
        return int(status[1]), (yield from self._body(length))

    def _line(self):
        line = b""
        while len(line) < _MAX_LINE and not line.endswith(b"\n"):
            part = yield from self.readline()
            if not part:
                break
            line += part
        if not line.endswith(b"\n"):
            raise Trouble("http.reply", "the reply broke off or has too long a line")
        return line.strip()

    # The length of the body; a session's place and the wish to be left alone are kept.
    def _headers(self):
        length = None
        self._wait_s = 0
        for _ in range(_MAX_HEADERS):
            line = yield from self._line()
            if not line:
                if length is None or length > _MAX_BODY:
                    raise Trouble("http.reply", "the reply has no acceptable length")
                return length
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if name == b"location":
                self._session = _path(value)
            elif value.isdigit() and len(value) < 10:
                if name == b"content-length":
                    length = int(value)
                elif name == b"retry-after":
                    self._wait_s = int(value)
        raise Trouble("http.reply", "too many headers")

    def _body(self, length):
        kept = b""
        while length:
            part = yield from self.read(length)
            if not part:
                raise Trouble("http.reply", "the reply broke off")
            length -= len(part)
            if len(kept) < _KEEP:
                kept += part
        return kept

    # The problem's code (RFC 9457) says more than the number.
    def _refused(self, who, status, body):
        try:
            code = str(json.loads(body)["code"])
        except (ValueError, KeyError, TypeError):
            code = ""
        plain = all("a" <= letter <= "z" or letter in ".-" for letter in code)
        why = " (%s)" % code[:32] if code and plain else ""
        return Trouble("http.status", "%s answered %d%s" % (who, status, why), self._wait_s)


# Goes into the next request as it is, so nothing but a path may be in it.
def _path(value):
    if not all(33 <= byte <= 126 for byte in value):
        raise Trouble("http.reply", "the place of the session is no path")
    return value.decode()


def _split(url):
    rest = url.split("://", 1)[1]
    place, _, base = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 443), ("/" + base).rstrip("/")
