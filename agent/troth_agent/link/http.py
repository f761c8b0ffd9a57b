# Challenge and response over HTTPS (the challenge-response API that Veraison made known), and the
# loop that keeps reporting. The server must show a certificate of the pinned CA for its name;
# MicroPython's `ssl` wrapper would take any, so `tls` is used as it is.
import gc
import json
import os
import socket
import time
from binascii import a2b_base64, hexlify

import micropython
import tls
from micropython import const

from .. import Trouble, attest, identity, nvs

_API = "/challenge-response/v1/"
_SESSION = "application/vnd.veraison.challenge-response-session+json"
_CWT = "application/eat+cwt"
_BUNDLE = "application/eat-bun+cbor"

_TIMEOUT_S = const(10)
_MAX_LINE = const(512)
_MAX_HEADERS = const(32)
_KEEP = const(512)  # bytes of a reply that are read with care; an EAR behind them is let pass
_MAX_BODY = const(16384)
_MAX_WAIT_S = const(900)
_NOT_PROVISIONED = ("settings.missing", "link.none", "key.missing")


# One TLS connection to the verifier, used for all requests of one report.
class Connection:
    def __init__(self, url, ca):
        self._host, port, self._base = _split(url)
        self._name = "%s:%d" % (self._host, port)
        info = socket.getaddrinfo(self._host, port, 0, socket.SOCK_STREAM)[0]
        self._raw = socket.socket(info[0], socket.SOCK_STREAM)
        try:
            self._raw.settimeout(_TIMEOUT_S)
            self._raw.connect(info[-1])
            self._stream = self._handshake(ca)
        except BaseException:
            self._raw.close()
            raise

    def _handshake(self, ca):
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # stub lacks it
        try:
            context.load_verify_locations(ca)
        except (OSError, ValueError):
            raise Trouble("link.ca", "the CA file holds no certificate in DER")
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
                % (self._base, _API, path, self._name, _SESSION, kind, len(body))
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
        line = self._stream.readline(_MAX_LINE)
        if not line or not line.endswith(b"\n"):
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
            part = self._stream.read(min(length, 128))
            if not part:
                raise Trouble("http.reply", "the reply broke off")
            length -= len(part)
            if len(kept) < _KEEP:
                kept += part
        return kept


# One report. `known` is the digest of the claims-set that the verifier has, or None when nobody
# remembers; gives back the digest that it has now.
def report(the_board, key, known=None):
    url = the_board.settings["url"]
    if not url:
        raise Trouble("link.none", "no server in /troth.json: this board answers over serial only")
    gc.collect()
    facts = the_board.facts()  # before TLS takes its share of the heap
    connection = Connection(url, the_board.ca())
    try:
        version = nvs.remember(nvs.TLS, connection.tls_version())
        facts["own_tls_version"] = "1.%d" % (version - 10)
        session = the_board.session()
        path, nonce = _new_session(connection, session["ueid"])
        evidence = attest.Evidence(facts, session, key, nonce)
        gc.collect()
        bundle = known is not None and known != evidence.digest
        waiting = _submit(connection, path, evidence, bundle)
        if waiting and not bundle:
            waiting = _submit(connection, path, evidence, True)
        if waiting:
            raise Trouble("http.reply", "the server has the claims-set and still waits")
        return evidence.digest
    finally:
        connection.close()


# Reports every interval; after a failure tries again after a random while whose bound doubles.
# Ctrl-C ends it, except on a sealed board; so does a board that nobody has provisioned.
def run(the_board, key):
    sealed = identity.sealed()
    if sealed:
        micropython.kbd_intr(-1)
    known = None
    failures = 0
    while True:
        try:
            now = the_board()
            known = report(now, key(), known)
            failures = 0
            time.sleep_ms(now.settings["interval_s"] * 1000)
            continue
        except KeyboardInterrupt:
            if not sealed:
                print("troth: stopped")
                return
        except Trouble as err:
            print("troth: [%s] %s" % (err.code, err.text))
            if err.code in _NOT_PROVISIONED and not sealed:
                return
        except OSError as err:
            print("troth: [link.io] errno %s" % err.errno)
        except MemoryError:
            print("troth: [board.memory] out of memory")
        except Exception as err:  # the outermost loop: a board in the field must go on
            print("troth: [agent.error] %s" % type(err).__name__)
        failures += 1
        if _pause(failures) and not sealed:
            print("troth: stopped")
            return


# Between one second and a bound that doubles up to a quarter of an hour. True after Ctrl-C.
def _pause(failures):
    bound_ms = min(_MAX_WAIT_S, 1 << min(failures, 10)) * 1000
    share = int.from_bytes(os.urandom(2), "big")
    try:
        gc.collect()
        time.sleep_ms(1000 + (bound_ms - 1000) * share // 65536)
        return False
    except KeyboardInterrupt:
        return True


# A challenge for this board alone.
def _new_session(connection, ueid):
    asked = "newSession?nonceSize=32&ueid=" + hexlify(ueid).decode()
    status, location, body = connection.post(asked, _SESSION, b"")
    if status != 201 or not location:
        raise _refused("newSession", status, body)
    try:
        nonce = a2b_base64(json.loads(body)["nonce"])
    except (ValueError, KeyError, TypeError):
        nonce = b""
    if len(nonce) != 32:
        raise Trouble("http.reply", "newSession gave no nonce of 32 bytes")
    return location, nonce


# True when the server waits for the claims-set as well.
def _submit(connection, path, evidence, bundle):
    kind, body = (_BUNDLE, evidence.bundle()) if bundle else (_CWT, evidence.bare())
    status, _, reply = connection.post(path, kind, body)
    if status != 200:
        raise _refused("the server", status, reply)
    at = reply.find(b'"status"')
    said = reply[at : at + 24]
    if at < 0 or not (b'"waiting"' in said or b'"complete"' in said):
        raise Trouble("http.reply", "the reply has no status")
    return b'"waiting"' in said


# The problem's code (RFC 9457) says more than the number.
def _refused(who, status, body):
    code = ""
    try:
        code = " (%s)" % json.loads(body)["code"]
    except (ValueError, KeyError, TypeError):
        pass
    return Trouble("http.status", "%s answered %d%s" % (who, status, code[:64]))


def _split(url):
    rest = url.split("://", 1)[1]
    place, _, base = rest.partition("/")
    host, _, port = place.partition(":")
    return host, int(port or 443), ("/" + base).rstrip("/")
