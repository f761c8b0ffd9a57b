# The link over HTTPS by challenge and response: the API that Veraison made known, over as little of
# HTTP/1.1 as its replies need.
import json
from binascii import a2b_base64, hexlify

from micropython import const

from .. import Trouble
from . import ACCEPTED, WANTED, connection

_API = "/challenge-response/v1/"
_SESSION = "application/vnd.veraison.challenge-response-session+json"
_BUNDLE = const(0xD9)  # how a tag above 255 begins; a bare token has 0xD1 or 0xD2
_MAX_LINE = const(512)
_MAX_HEADERS = const(32)
_KEEP = const(512)  # bytes of a reply that are read with care; an EAR behind them is let pass
_MAX_BODY = const(16384)


def open(settings, context, ueid, kind=None):
    host, port, base = _split(settings["url"])
    connected = yield from connection.connect(host, port, context)
    return (kind or Link)(connected, "%s:%d" % (host, port), base, hexlify(ueid).decode())


class Link(connection.Connection):
    location: str | None = None
    _wait_s = 0

    def __init__(self, connected, name, base, ueid):
        super().__init__(connected)
        self._name = name
        self._base = base
        self._ueid = ueid

    def challenge(self):
        path = _API + "newSession?nonceSize=32&ueid=" + self._ueid
        status, body = yield from self.ask("POST", path, _SESSION)
        if status != 201 or not self.location:
            raise self.refused("newSession", status, body)
        try:
            said = json.loads(body)
            nonce = a2b_base64(said["nonce"])
            self.rotate = said.get("rotate")
        except (ValueError, KeyError, TypeError):
            nonce = b""
        if len(nonce) != 32:
            raise Trouble("http.reply", "newSession gave no nonce of 32 bytes")
        return nonce

    def deliver(self, evidence):
        body = yield from self.post(_API + (self.location or ""), evidence)
        at = body.find(b'"status"')
        said = body[at : at + 24]
        if at >= 0 and b'"waiting"' in said:
            return WANTED
        if at < 0 or b'"complete"' not in said:
            raise Trouble("http.reply", "the reply has no status")
        self.location = None
        return ACCEPTED

    def post(self, path, evidence):
        kind = "eat-bun+cbor" if evidence[0] == _BUNDLE else "eat+cwt"
        status, body = yield from self.ask("POST", path, "application/" + kind, evidence)
        if status != 200:
            raise self.refused("the server", status, body)
        return body

    # Status and the first bytes of the reply.
    def ask(self, verb, path, kind, body=b""):
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

    # The problem's code (RFC 9457) says more than the number.
    def refused(self, who, status, body):
        try:
            code = str(json.loads(body)["code"])
        except (ValueError, KeyError, TypeError):
            code = ""
        why = " (%s)" % code[:32] if _is_plain(code.encode()) else ""
        return Trouble("http.status", "%s answered %d%s" % (who, status, why), self._wait_s)

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
        for _ in range(_MAX_HEADERS):
            line = yield from self._line()
            if not line:
                if length is None or length > _MAX_BODY:
                    raise Trouble("http.reply", "the reply has no acceptable length")
                return length
            name, _, value = line.partition(b":")
            name, value = name.lower(), value.strip()
            if name == b"location" and _is_plain(value):
                self.location = value.decode()
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


# What is printed, or goes into the next request, has no blanks and no control characters.
def _is_plain(said):
    return bool(said) and all(33 <= byte <= 126 for byte in said)


def _split(url):
    rest = url.split("://", 1)[1]
    place, _, base = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 443), ("/" + base).rstrip("/")
