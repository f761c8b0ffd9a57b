"""Where the broker is, whom we trust to be it, and who we are to it."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiomqtt

from ..settings import Mqtt
from ..trouble import Trouble

PORT = 8883
IDENTIFIER = "troth-verifier"
_KEEP_ALIVE_S = 30
_TIMEOUT_S = 5.0
_MOST_QUEUED = 4096  # of what comes; what finds no room is not acknowledged, so it comes again
_URL = re.compile(r"mqtts://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?/?")


class Client(aiomqtt.Client):
    """A client that acknowledges what it is told to, not what it has merely received."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._client.manual_ack_set(True)
        self.pending_calls_threshold = 1000  # answers on their way are no cause for alarm

    def done_with(self, message: aiomqtt.Message) -> None:
        """The broker may forget it."""
        self._client.ack(message.mid, message.qos)


@dataclass(frozen=True, slots=True)
class Broker:
    """A broker as it was asked for; the password is in no text of it."""

    host: str
    port: int
    tls: ssl.SSLContext
    user: str | None
    _password: str | None

    def __str__(self) -> str:
        return f"mqtts://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"Broker({self})"

    def client(self) -> Client:
        """Of the running event loop. The session stays with the broker while we are away."""
        return Client(
            self.host.strip("[]"),
            self.port,
            username=self.user,
            password=self._password,
            identifier=IDENTIFIER,
            clean_session=False,
            keepalive=_KEEP_ALIVE_S,
            timeout=_TIMEOUT_S,
            max_queued_incoming_messages=_MOST_QUEUED,
            tls_context=self.tls,
        )


def find_broker(said: Mqtt, environ: Mapping[str, str] = os.environ) -> Broker:
    """The broker of the settings. Raises Trouble `mqtt.url`, `mqtt.ca`, `mqtt.password`."""
    found = _URL.fullmatch(said.url)
    if found is None or not 0 < int(found["port"] or PORT) < 65536:
        raise Trouble(
            "mqtt.url",
            f"{said.url[:200]!r} is no mqtts://HOST:PORT",
            why="evidence travels under TLS only, and a password has no place in an address",
            fix="--mqtt mqtts://broker.example:8883",
        )
    user = environ.get("TROTH_MQTT_USER", said.user) or None
    password = environ.get("TROTH_MQTT_PASSWORD")
    if password is None and said.password_file:
        password = _password(Path(said.password_file))
    if (user is None) != (password is None):
        raise Trouble(
            "mqtt.password",
            "user name and password go together",
            fix="user and password_file under [mqtt] in troth.toml, or TROTH_MQTT_PASSWORD",
        )
    return Broker(found["host"], int(found["port"] or PORT), _trust(said.ca), user, password)


def _trust(ca: str) -> ssl.SSLContext:
    """Only the named CA, else those of this machine."""
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as err:  # an SSLError is one too
        raise Trouble(
            "mqtt.ca",
            f"{ca} holds no CA certificate in PEM",
            why=str(err.strerror or err),
            fix="--mqtt-ca FILE with the certificate of the CA that signed the broker's",
        ) from err


def _password(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise Trouble("mqtt.password", f"others may read {path}", fix=f"chmod 600 {path}")
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as err:
        raise Trouble(
            "mqtt.password",
            f"cannot read {path}",
            why=str(err),
            fix="password_file under [mqtt] in troth.toml names a file with the password alone",
        ) from err
