"""A verifier's HTTPS face with a script of replies, and the certificates for it."""

from __future__ import annotations

import base64
import datetime
import http.server
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NONCE = bytes(range(100, 132))
CWT, BUNDLE = "application/eat+cwt", "application/eat-bun+cbor"


@dataclass(frozen=True, slots=True)
class Authority:
    """A throw-away CA."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)


def authority(name: str = "test CA") -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    extension = x509.BasicConstraints(ca=True, path_length=None)
    return Authority(key, _certificate(name, key, _named(name), key, extension))


def server_pem(
    ca: Authority, folder: Path, address: str = "127.0.0.1", *, expired: bool = False
) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    issuer, days = ca.certificate.subject, -1 if expired else 1
    certificate = _certificate("verifier", key, issuer, ca.key, names, days)
    pem = folder / f"server-{address}.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
    days: int = 1,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=2))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(extension, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@dataclass(slots=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # sent as it is, then the connection ends


def session(nonce: str = base64.b64encode(NONCE).decode()) -> Reply:
    said = {"status": "waiting", "nonce": nonce, "expiry": "2030-01-01T00:00:00Z"}
    said["accept"] = f"{CWT},{BUNDLE}"
    return Reply(201, json.dumps(said).encode(), {"Location": "session/abc"})


def waiting() -> Reply:
    return Reply(200, b'{"status":"waiting","wanted":["x"]}')


def complete() -> Reply:
    ear = "e" * 5000
    return Reply(200, json.dumps({"status": "complete", "result": ear}).encode())


@dataclass(slots=True)
class Request:
    path: str
    kind: str
    body: bytes


class Verifier:
    """Gives the replies in order, the last one for ever; keeps what it was asked."""

    def __init__(self, replies: list[Reply]) -> None:
        self.replies = replies
        self.requests: list[Request] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def serving(pem: Path, *replies: Reply) -> Iterator[Verifier]:
    verifier = Verifier(list(replies))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            verifier.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            reply = verifier.answer(Request(self.path, self.headers["content-type"], body))
            if reply.raw is not None:
                self.wfile.write(reply.raw)
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, client_address: Any) -> None:
            try:
                request = context.wrap_socket(request, server_side=True)
                super().finish_request(request, client_address)
            except (ssl.SSLError, OSError):
                pass  # the client refused us: that is some test's point

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with Server(("127.0.0.1", 0), Handler) as server:
        verifier.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield verifier
        finally:
            server.shutdown()
