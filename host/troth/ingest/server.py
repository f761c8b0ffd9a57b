"""Listening: sockets first, so that a busy port is told before anything starts; a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from ..trouble import Trouble
from .door import Door, Patient
from .ending import end

KEEP_ALIVE_S = 75
GRACE_S = 5


@dataclass(frozen=True, slots=True)
class Listener:
    """One application on one socket, with TLS when it has a certificate."""

    app: Any
    sock: socket.socket
    certificate: Path | None = None
    key: Path | None = None

    @property
    def url(self) -> str:
        host, port = self.sock.getsockname()[:2]
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def listen(bind: str) -> socket.socket:
    """Bind HOST:PORT (port 0: any). Trouble `config.bind`, `server.port-busy`, `server.bind`."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Trouble("config.bind", f"{bind!r} is no HOST:PORT", fix="--bind 127.0.0.1:8443")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, int(port)))
        sock.listen(2048)
    except OSError as err:
        sock.close()
        if err.errno == errno.EADDRINUSE:
            raise Trouble(
                "server.port-busy",
                f"another program holds {bind}",
                fix="stop it, or choose others: troth serve --bind HOST:PORT --pages HOST:PORT",
            ) from err
        raise Trouble(
            "server.bind",
            f"cannot listen on {bind}",
            why=str(err),
            fix="troth serve --bind HOST:PORT with an address of this machine",
        ) from err
    sock.setblocking(False)
    return sock


async def run(
    listeners: Sequence[Listener],
    *,
    ready: Callable[[], None],
    background: Callable[[], Any] | None = None,
    beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; a second signal cuts open connections.

    `background` is called in a thread every second; `beside` runs in this loop until the end.
    """
    _hold_many()
    servers = [_Server(_config(listener)) for listener in listeners]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, servers)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener.sock]))
        for server, listener in zip(servers, listeners, strict=True)
    ]
    others = [asyncio.create_task(_repeat(background))] if background else []
    try:
        while not all(server.started for server in servers) and not any(t.done() for t in tasks):
            await asyncio.sleep(0.005)
        ready()
        if beside:
            others.append(asyncio.create_task(beside()))
        await asyncio.gather(*tasks)
    finally:
        await end(others)


def _hold_many() -> None:
    """As many connections as this machine grants: who opens a thousand shuts nobody else out."""
    try:
        import resource
    except ImportError:  # no such limit here
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _repeat(chore: Callable[[], Any], every_s: float = 1.0) -> None:
    while True:
        await asyncio.to_thread(chore)
        await asyncio.sleep(every_s)


def _stop(servers: Sequence[uvicorn.Server]) -> None:
    for server in servers:
        server.force_exit = server.should_exit
        server.should_exit = True


def _config(listener: Listener) -> uvicorn.Config:
    try:
        config = uvicorn.Config(
            listener.app,
            http=Door if hasattr(listener.app, "expects") else Patient,
            ws="none",
            lifespan="auto",
            log_level="critical",
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=GRACE_S,
            ssl_certfile=listener.certificate,
            ssl_keyfile=listener.key,
        )
        config.load()
    except OSError as err:
        raise Trouble(
            "tls.certificate",
            f"cannot use {listener.certificate}",
            why=str(err),
            fix=f"rm {listener.certificate}, then troth init makes another under the same CA",
        ) from err
    return config


class _Server(uvicorn.Server):
    """Signals are ours: two servers share one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
