"""The serial line of a board: bytes between its port, which is a pty, and the console of its VM."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import termios
import tty
from collections.abc import Callable
from contextlib import suppress

from emulator.places import runtime_dir

CHUNK = 4096
ATTACH_POLL_S = 0.01


class Line:
    """A port that stays, and behind it one console after another, each as long as a VM lives."""

    def __init__(self, name: str, ended: Callable[[], None]) -> None:
        """`ended` is told when the VM lets go of its console."""
        self._loop = asyncio.get_running_loop()
        self._vm_ended = ended
        self._port, slave = os.openpty()
        tty.setraw(slave)
        self.pty = os.ttyname(slave)
        os.close(slave)
        self.link = runtime_dir() / f"{os.getpid()}-{name}.port"
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(self.pty)
        os.set_blocking(self._port, False)
        self._wire = -1
        self._attached = False
        self._to_port = bytearray()
        self._to_vm = bytearray()
        self.mute = False  # a sealed board neither hears nor speaks here
        self._watch_port()

    def connect(self) -> int:
        """A new console: the end of it that a VM takes, for the caller to close."""
        self._wire, slave = os.openpty()
        _as_console(slave)
        os.set_blocking(self._wire, False)
        self._to_vm.clear()
        self._loop.add_reader(self._wire, self._from_vm)
        return slave

    def drop(self) -> None:
        """The console goes with its VM."""
        if self._wire >= 0:
            self._loop.remove_reader(self._wire)
            self._loop.remove_writer(self._wire)
            os.close(self._wire)
            self._wire = -1

    def close(self) -> None:
        """The port goes away."""
        self._loop.remove_reader(self._port)
        self._loop.remove_writer(self._port)
        if self._port >= 0:
            os.close(self._port)
            self._port = -1
            self.link.unlink(missing_ok=True)

    def _from_vm(self) -> None:
        try:
            data = os.read(self._wire, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.print(data)
        else:
            self.drop()
            self._vm_ended()

    def _watch_port(self) -> None:
        """Nobody holds the port: what the board prints is lost. Somebody comes: listen."""
        if self._port < 0:
            return
        poll = select.poll()
        poll.register(self._port, 0)
        gone = any(event & select.POLLHUP for _, event in poll.poll(0))
        if gone:
            self._loop.call_later(ATTACH_POLL_S, self._watch_port)
        elif not self._attached:
            self._attached = True
            self._loop.add_reader(self._port, self._from_port)

    def _detach(self) -> None:
        self._attached = False
        self._to_port.clear()
        self._loop.remove_reader(self._port)
        self._loop.remove_writer(self._port)
        self._loop.call_later(ATTACH_POLL_S, self._watch_port)

    def _from_port(self) -> None:
        if self._wire < 0:
            # between two lives of the VM: leave the bytes in the port
            self._loop.remove_reader(self._port)
            self._loop.call_later(0.005, self._resume_port)
            return
        try:
            data = os.read(self._port, CHUNK - len(self._to_vm))
        except BlockingIOError:
            return
        except OSError as err:
            if err.errno == errno.EIO:
                self._detach()
            return
        if self.mute:
            return
        self._to_vm += data
        self._push_vm()

    def _resume_port(self) -> None:
        if self._attached and self._port >= 0:
            self._loop.add_reader(self._port, self._from_port)

    def _push_vm(self) -> None:
        if self._wire < 0:
            return
        with suppress(BlockingIOError):
            sent = os.write(self._wire, self._to_vm)
            del self._to_vm[:sent]
        if self._to_vm:
            self._loop.remove_reader(self._port)
            self._loop.add_writer(self._wire, self._push_vm)
        else:
            self._loop.remove_writer(self._wire)
            self._resume_port()

    def print(self, data: bytes) -> None:
        """Say it to whoever holds the port."""
        if not self._attached or self.mute:
            return
        self._to_port += data
        self._push_port()

    def _push_port(self) -> None:
        try:
            sent = os.write(self._port, self._to_port)
            del self._to_port[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._to_port.clear()
        if self._to_port:
            # the reader is slow: let the VM wait, as flow control would
            self._loop.add_writer(self._port, self._push_port)
            if self._wire >= 0:
                self._loop.remove_reader(self._wire)
        else:
            self._loop.remove_writer(self._port)
            if self._wire >= 0:
                self._loop.add_reader(self._wire, self._from_vm)


def _as_console(slave: int) -> None:
    """Ctrl-C is a signal without flushing what was typed after it; output gets its returns."""
    tty.setraw(slave)
    mode = termios.tcgetattr(slave)
    mode[3] |= termios.NOFLSH
    mode[1] |= termios.OPOST | termios.ONLCR
    control = mode[6]
    control[termios.VINTR] = b"\x03"
    for other in (termios.VQUIT, termios.VSUSP):
        control[other] = b"\x00"
    termios.tcsetattr(slave, termios.TCSANOW, mode)
