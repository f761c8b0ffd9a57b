"""Real brokers on free ports, configured by the very texts of the operator's page."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "host/troth/docs/operator.md"
NATS = Path(sys.executable).parent / "nats-server"
VERIFIER = "troth"


class Broker:
    """A broker that can be stopped and started again, with what it keeps."""

    def __init__(self, name: str, at: Path, pem: Path, passwords: Mapping[str, str]) -> None:
        self.name, self.at, self.pem, self.passwords = name, at, pem, dict(passwords)
        self.port = _free_port()
        self._argv = _mosquitto(self) if name == "mosquitto" else _nats(self)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.at / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        self.stop()
        raise RuntimeError((self.at / f"{self.name}.log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def lose_all(self) -> None:
        """As after a power cut with a broken disk: what it acknowledged, it has no more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
        shutil.rmtree(self.at / "jetstream", ignore_errors=True)
        (self.at / "mosquitto.db").unlink(missing_ok=True)
        self.start()


@contextmanager
def broker(name: str, at: Path, pem: Path, passwords: Mapping[str, str]) -> Iterator[Broker]:
    """`passwords` of the verifier and of each board by its user name."""
    if name == "mosquitto" and find_mosquitto() is None:
        pytest.skip("mosquitto is not installed: apt-get install mosquitto")
    made = Broker(name, at, pem, passwords)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def find_mosquitto() -> str | None:
    return shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def page_text(first_line: str) -> str:
    """A block of the operator's page, by the comment that it begins with."""
    found = re.search(rf"(?ms)^```\n(# {re.escape(first_line)}\n.*?)^```$", PAGE.read_text())
    assert found, f"the operator's page has no {first_line}"
    return found[1]


def _mosquitto(made: Broker) -> list[str]:
    said = page_text("/etc/mosquitto/conf.d/troth.conf")
    for there, here in (
        ("8883", f"{made.port} 127.0.0.1"),
        ("/etc/mosquitto/certs/broker.pem", str(made.pem)),
        ("/etc/mosquitto/certs/broker.key", str(made.pem)),
        ("/etc/mosquitto/troth", str(made.at / "troth")),
    ):
        assert there in said
        said = said.replace(there, here)
    kept = f"persistence true\npersistence_location {made.at}/\n"  # as Debian's own file has it
    (made.at / "mosquitto.conf").write_text(said + kept + "user root\n")
    (made.at / "troth.acl").write_text(page_text("/etc/mosquitto/troth.acl"))
    passwords = made.at / "troth.passwords"
    passwords.touch(0o600)
    passwords.write_text("".join(f"{user}:{word}\n" for user, word in made.passwords.items()))
    subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True)
    return [str(find_mosquitto()), "-c", str(made.at / "mosquitto.conf")]


def _nats(made: Broker) -> list[str]:
    said = page_text("/etc/nats/troth.conf")
    for there, here in (
        ("port: 8883", f'listen: "127.0.0.1:{made.port}"'),
        ("127.0.0.1:4222", f"127.0.0.1:{_free_port()}"),
        ("/var/lib/nats", str(made.at / "jetstream")),
        ("/etc/nats/broker.pem", str(made.pem)),
        ("/etc/nats/broker.key", str(made.pem)),
        ("of the verifier", made.passwords[VERIFIER]),
    ):
        assert there in said
        said = said.replace(there, here)
    lines = said.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "of this board" in line)
    example = lines[at].replace("of this board", "word").strip()
    assert _nats_lines(made, {"027cdfa1000001": "word"}).strip() == example
    lines[at] = _nats_lines(made, made.passwords)
    config = made.at / "nats.conf"
    config.write_text("".join(lines))
    return [str(NATS), "-c", str(config)]


def _nats_lines(made: Broker, passwords: Mapping[str, str]) -> str:
    """The boards' lines, as the page has them made."""
    found = re.search(r"(?m)^\$ (awk .*) certs/dev/mqtt\.passwords$", PAGE.read_text())
    assert found
    boards = made.at / "mqtt.passwords"
    kept = (f"{user}:{word}\n" for user, word in passwords.items() if user != VERIFIER)
    boards.write_text("".join(kept))
    argv = ["/bin/sh", "-c", f"{found[1]} {boards}"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
