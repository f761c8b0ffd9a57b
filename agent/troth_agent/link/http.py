# The link over HTTPS by challenge and response: the API that Veraison made known.
import json
from binascii import a2b_base64, hexlify

from micropython import const

from .. import Trouble
from . import ACCEPTED, WANTED, connection, web

_API = "/challenge-response/v1/"
_BUNDLE = const(0xD9)  # how a tag above 255 begins; a bare token has 0xD1 or 0xD2


def open(settings, context, ueid, kind=None):
    host, port, base = _split(settings["url"])
    connected = yield from connection.connect(host, port, context)
    return (kind or Link)(connected, "%s:%d" % (host, port), base, hexlify(ueid).decode())


class Link(web.Web):
    def __init__(self, connected, name, base, ueid):
        super().__init__(connected, name, base)
        self._ueid = ueid

    def challenge(self):
        path = _API + "newSession?nonceSize=32&ueid=" + self._ueid
        status, body = yield from self.ask("POST", path, web.SESSION)
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


def _split(url):
    rest = url.split("://", 1)[1]
    place, _, base = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 443), ("/" + base).rstrip("/")
