# HTTPS to the verifier, as little of it as a report needs. The server must show a certificate of
# the pinned CA for its name; MicroPython's `ssl` wrapper would take any, so `tls` is used as it is.
import socket

import tls
from micropython import const

from .. import Trouble

_API = "/challenge-response/v1/"
SESSION = "application/vnd.veraison.challenge-response-session+json"

_TIMEOUT_S = const(10)
_MAX_LINE = const(512)
_MAX_HEADERS = const(32)
_PART = const(128)  # read at once: the heap may have no larger piece
_KEEP = const(512)  # bytes of a reply that are read with care; an EAR behind them is let pass
_MAX_BODY = const(16384)


# What a server must show: a certificate of this CA (DER).
def trust(ca):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # stub lacks it
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError):
        raise Trouble("link.ca", "the CA file holds no certificate in DER")
    return context


# One TLS connection to the verifier, used for all requests of one report.
class Connection:
    def __init__(self, url, context):
        self._host, port, self._base = _split(url)
        self._name = "%s:%d" % (self._host, port)
        info = socket.getaddrinfo(self._host, port, 0, socket.SOCK_STREAM)[0]
        self._raw = socket.socket(info[0], socket.SOCK_STREAM)
        try:
            self._raw.settimeout(_TIMEOUT_S)
            self._raw.connect(info[-1])
            self._stream = self._handshake(context)
        except BaseException:
            self._raw.close()
            raise

    def _handshake(self, context):
        try:
            return context.wrap_socket(self._raw, server_hostname=self._host)
        except ValueError as err:
            raise Trouble("link.untrusted", str(err))

    # 12 or 13
    def tls_version(self):
        return 10 + int(self._stream.cipher()[1][-1])

    # Status, the Location header and the first bytes of the reply.
    def post(self, path, kind, body):
        self._stream.write(
            (
                "POST %s%s%s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nContent-Type: %s\r\n"
                "Content-Length: %d\r\n\r\n"
                % (self._base, _API, path, self._name, SESSION, kind, len(body))
            ).encode()
        )
        if body:
            self._stream.write(body)
        status = self._line().split(b" ")
        if len(status) < 2 or not status[0].startswith(b"HTTP/1.") or not status[1].isdigit():
            raise Trouble("http.reply", "the server does not speak HTTP")
        location, length = self._headers()
        return int(status[1]), location, self._body(length)

    def close(self):
        self._stream.close()
        self._raw.close()

    def _line(self):
        line = b""
        while len(line) < _MAX_LINE and not line.endswith(b"\n"):
            part = self._stream.readline(_PART)
            if not part:
                break
            line += part
        if not line.endswith(b"\n"):
            raise Trouble("http.reply", "the reply broke off or has too long a line")
        return line.strip()

    def _headers(self):
        location, length = "", None
        for _ in range(_MAX_HEADERS):
            line = self._line()
            if not line:
                if length is None or length > _MAX_BODY:
                    raise Trouble("http.reply", "the reply has no acceptable length")
                return location, length
            name, _, value = line.decode().partition(":")
            name = name.lower()
            if name == "location":
                location = value.strip()
            elif name == "content-length" and value.strip().isdigit():
                length = int(value)
        raise Trouble("http.reply", "too many headers")

    def _body(self, length):
        kept = b""
        while length:
            part = self._stream.read(min(length, _PART))
            if not part:
                raise Trouble("http.reply", "the reply broke off")
            length -= len(part)
            if len(kept) < _KEEP:
                kept += part
        return kept


def _split(url):
    rest = url.split("://", 1)[1]
    place, _, base = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 443), ("/" + base).rstrip("/")
