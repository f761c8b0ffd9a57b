# One TLS connection to the verifier or its broker, for all that one report asks. The other end must
# show a certificate of the pinned CA for its name; MicroPython's `ssl` wrapper would take any, so
# `tls` is used as it is. Nothing here waits, save for the name service: see link/__init__.py.
import errno
import select
import socket
import time

import tls
from micropython import const

from .. import Trouble

_NAP_MS = const(5)
_TIMEOUT_MS = const(10000)
_PART = const(128)  # read at once: the heap may have no larger piece


# What the other end must show: a certificate of this CA (DER).
def trust(ca):
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = tls.CERT_REQUIRED  # type: ignore[attr-defined]  # stub lacks it
    try:
        context.load_verify_locations(ca)
    except (OSError, ValueError):
        raise Trouble("link.ca", "the CA file holds no certificate in DER")
    return context


# A socket that has reached its place, and TLS over it; the handshake is part of the first send().
def connect(host, port, context):
    info = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
    raw = socket.socket(info[0], socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        try:
            raw.connect(info[-1])
        except OSError as err:
            if err.errno != errno.EINPROGRESS:
                raise
        poll = select.poll()
        poll.register(raw, select.POLLOUT)
        yield from _patiently(lambda ms: poll.poll(ms) or None, 0)
        return raw, context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
    except BaseException:
        raw.close()
        raise


class Connection:
    def __init__(self, connected):
        self._raw, self._stream = connected

    def send(self, data):
        while data:
            try:
                sent = yield from _patiently(self._stream.write, data)
            except ValueError as err:  # mbedTLS on the other end's certificate
                raise Trouble("link.untrusted", str(err).strip())
            data = data[sent:]

    # Some bytes, at most `size`; none when the other end has closed.
    def read(self, size):
        return (yield from _patiently(self._stream.read, min(size, _PART)))

    # Up to the end of a line, or less when that is far or the other end has closed.
    def readline(self):
        return (yield from _patiently(self._stream.readline, _PART))

    # 12 or 13, once something came
    def tls_version(self):
        return 10 + int(self._stream.cipher()[1][-1])

    def close(self):
        self._stream.close()
        self._raw.close()


# Tries until it gives something other than None; the time between is for others.
def _patiently(attempt, argument):
    start = time.ticks_ms()
    while True:
        got = attempt(argument)
        if got is not None:
            return got
        if time.ticks_diff(time.ticks_ms(), start) > _TIMEOUT_MS:
            raise OSError(errno.ETIMEDOUT)
        yield _NAP_MS
