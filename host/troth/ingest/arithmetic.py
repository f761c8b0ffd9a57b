"""ECDSA for the desk, in a process of its own once many boards report at the same time.

Checking signatures and signing results is more than half of what a report costs and needs nothing
that we know: plain bytes go to the other process and plain answers come back. It is a help and
nothing else: few asks are answered here, and so are all while it starts and when it is gone.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ..core.trust import Sealed
from ..formats import cose
from .results import Results

log = logging.getLogger(__name__)

_FEW = 4  # to ask for these costs as much as to answer them
_PATIENCE_S = 5.0  # a handful takes milliseconds
_END_S = 2

Then = Callable[[Sequence[Any]], None]


class Here:
    """All of it in this process."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def check(self, seals: Sequence[Sealed], then: Then) -> None:
        """Call `then` with whether each seal holds, a bool for each."""
        then([seal.holds() for seal in seals])

    def sign(self, said: Sequence[bytes], then: Then) -> None:
        """Call `then` with the verifier's signature of each: r || s."""
        then([self._results.sign(each) for each in said])

    def close(self) -> None:
        """Nothing is held."""


class Beside(Here):
    """Most of it in another process, which the first crowd starts."""

    def __init__(self, results: Results) -> None:
        super().__init__(results)
        self._other: _Other | None = None

    def check(self, seals: Sequence[Sealed], then: Then) -> None:
        here = super().check
        if len(seals) <= _FEW or not self._helped().ready:
            here(seals, then)
        else:
            self._helped().ask(
                (_CHECK, [seal.plain for seal in seals]), then, lambda: here(seals, then)
            )

    def sign(self, said: Sequence[bytes], then: Then) -> None:
        here = super().sign
        if len(said) <= _FEW or not self._helped().ready:
            here(said, then)
        else:
            self._helped().ask((_SIGN, said), then, lambda: here(said, then))

    def close(self) -> None:
        if self._other is not None:
            self._other.close()

    def _helped(self) -> _Other:
        if self._other is None:
            self._other = _Other(self._results.secret())
        return self._other


class _Other:
    """The other process as this one sees it: asked in turn, answered in turn by the event loop."""

    def __init__(self, secret: bytes) -> None:
        self.ready = False  # to be asked: it has started and is not gone
        self._loop = asyncio.get_running_loop()
        self._waits: deque[tuple[Then, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._wire, far = (Connection(end.detach()) for end in socket.socketpair())
        with far:
            self._child = subprocess.Popen(
                (sys.executable, "-m", __name__, str(far.fileno())), pass_fds=(far.fileno(),)
            )
        self._wire.send(secret)
        self._loop.add_reader(self._wire.fileno(), self._hear)

    def ask(
        self, question: tuple[int, Sequence[Any]], then: Then, here: Callable[[], None]
    ) -> None:
        """`then` is called with its answers; `here` instead when it goes before it answers."""
        self._waits.append((then, here))
        try:
            self._wire.send(question)
        except OSError:
            self._lose()
        else:
            self._watch()

    def close(self) -> None:
        """It ends when its wire does."""
        self.ready = False
        if not self._wire.closed:
            self._loop.remove_reader(self._wire.fileno())
            self._wire.close()
        try:
            self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _hear(self) -> None:
        try:
            said = self._wire.recv()
        except (EOFError, OSError):
            self._lose()
            return
        if said == _STARTED:
            self.ready = True
            return
        then, _ = self._waits.popleft()
        self._watch()
        then(said)

    def _watch(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(_PATIENCE_S, self._lose) if self._waits else None

    def _lose(self) -> None:
        """What was asked of it is done here, as is all that comes."""
        log.warning("the process for signatures has gone; this one does its work from now on")
        self._child.kill()
        self.close()
        left, self._waits = self._waits, deque()
        self._watch()
        for _, here in left:
            here()


_CHECK, _SIGN = range(2)
_STARTED = "started"


def main(descriptor: int) -> None:
    """The other process: answers until the wire is closed. Ctrl-C is for who started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(descriptor) as wire, suppress(EOFError, OSError):  # who asked has gone
        key = load_der_private_key(wire.recv(), None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise TypeError("results are signed with ES256")
        wire.send(_STARTED)
        while True:
            what, asks = wire.recv()
            if what == _CHECK:
                wire.send([ask is None or _holds(*ask) for ask in asks])
            else:
                wire.send([cose.sign_es256(key, said) for said in asks])


def _holds(public_key: bytes, der: bytes, digest: bytes) -> bool:
    return cose.Es256(cose.point(public_key), der, digest).holds()


if __name__ == "__main__":
    main(int(sys.argv[1]))
