"""A board at the far end of a serial port, through mpremote's own library: any board alike.

The agent answers a call with one line `troth: {json}`; what else the board prints is passed by.
"""

from __future__ import annotations

import errno
import io
import json
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from ..trouble import Trouble
from .ports import explain, holders

_MARK = b"troth: "
_KNOCK_S = 0.3  # one read while nobody may be there
_READ_S = 10  # one read while the board is known to answer
_REPL_S = 4  # from Ctrl-C to the prompt; the second time twice as long
_RESTART_S = 20  # a restart of a board that is known to answer
_CALL_S = 120  # measuring and signing on a slow board, without a sign of life
_CHUNK = 1024
_MAX_ANSWER = 256 * 1024
_ERRORS = Path(__file__).parents[1] / "docs" / "errors.md"
AGAIN = "press reset and try again; if it stays, erase the board and install MicroPython anew"
T = TypeVar("T")

_WALK = """
import os,hashlib,binascii
def w(d):
 for e in os.ilistdir(d or '/'):
  p=d+'/'+e[0]
  if e[1]==0x4000:
   w(p)
  else:
   h=hashlib.sha256()
   with open(p,'rb') as f:
    while 1:
     b=f.read(512)
     if not b:
      break
     h.update(b)
   print('troth: '+binascii.hexlify(h.digest()).decode()+p)
w('')
"""
_RENAME = """
import os
try:
 os.rename({new!r},{path!r})
except OSError:
 os.remove({path!r})
 os.rename({new!r},{path!r})
"""
# the product's own program again, without a reset: nothing that it did is lost
_RESUME = """
import os
try:
 os.stat('/main.py')
except OSError:
 pass
else:
 exec(open('/main.py').read())
"""
_RESET = "import time,machine\ntime.sleep_ms(100)\nmachine.reset()\n"


@contextmanager
def quiet() -> Iterator[None]:
    """mpremote prints what it cannot read; stdout is for data. Once, around all threads."""
    with redirect_stdout(io.StringIO()):
        yield


class Board:
    """One board whose prompt answered. Raises Trouble `port.*`, `board.*` or the agent's own."""

    def __init__(self, port: str, transport: SerialTransport) -> None:
        self.port = port
        self._line = transport

    @classmethod
    def open(cls, port: str, *, restart: bool, tries: int = 2, wait_s: float = _REPL_S) -> Board:
        """Take a port and reach the prompt; `restart`: in a fresh interpreter, without main.py."""
        try:
            transport = SerialTransport(port, timeout=_KNOCK_S)
        except (TransportError, OSError, ValueError) as err:
            raise explain(port) from err
        board = cls(port, transport)
        for turn in range(1, tries + 1):
            try:
                transport.enter_raw_repl(soft_reset=restart, timeout_overall=wait_s * turn)
                transport.serial.timeout = _READ_S
                return board
            except TransportError as err:
                if turn == tries:
                    board.close()
                    raise _no_prompt(port) from err
            except OSError as err:
                board.close()
                raise _gone(port) from err
        raise ValueError("at least one try")

    def close(self) -> None:
        """Let go of the port, whatever state the board is in."""
        try:
            self._line.close()
        except OSError:
            return  # it is gone already

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def restart(self) -> None:
        """A fresh interpreter: boot.py has run, main.py has not."""
        self._do(lambda: self._line.enter_raw_repl(soft_reset=True, timeout_overall=_RESTART_S))

    def lines(self, code: str, timeout_s: float = _CALL_S) -> list[bytes]:
        """Run code; what it printed after `troth: `, line by line."""
        out, err = self._do(lambda: self._line.exec_raw(code, timeout=timeout_s))
        if err:
            raise _raised(err)
        if len(out) > _MAX_ANSWER:
            raise Trouble("board.answer", f"the board on {self.port} said too much", fix=AGAIN)
        return [line[len(_MARK) :].rstrip() for line in out.splitlines() if line.startswith(_MARK)]

    def ask(self, code: str, timeout_s: float = _CALL_S) -> dict[str, Any]:
        """Run code that prints one JSON object; the agent's errors become Trouble with its code."""
        said = self.lines(code, timeout_s)
        return self._answer(said[-1] if said else b"")

    def agent(self, call: str) -> dict[str, Any]:
        """Call the agent: `identify()`, `enroll()`, `answer('nonce')`."""
        return self.ask(f"import troth_agent.link.serial as s\ns.{call}")

    def seal(self) -> None:
        """Close the prompt for good; the board restarts and never ends the call."""
        self._do(
            lambda: self._line.exec_raw_no_follow("import troth_agent.link.serial as s\ns.seal()")
        )
        said = self._do(lambda: self._line.read_until(1, b"\n", timeout=20))
        while said and not said.startswith(_MARK) and said.endswith(b"\n"):
            said = self._do(lambda: self._line.read_until(1, b"\n", timeout=20))
        self._answer(said[len(_MARK) :].rstrip())

    def settle(self, quiet_s: float = 0.7, most_s: float = 6) -> None:
        """Wait until a restarting board has said what it says."""
        self._line.serial.timeout = quiet_s
        end = time.monotonic() + most_s
        while time.monotonic() < end:
            if not self._do(lambda: self._line.read_until(1, b"\n", timeout=quiet_s)):
                return

    def digests(self) -> dict[str, bytes]:
        """Every file on the board and its SHA-256."""
        found = {}
        for line in self.lines(_WALK):
            path, digest = _path_and_digest(line)
            found[path] = digest
        return found

    def read(self, path: str) -> bytes:
        return bytes(self._do(lambda: self._line.fs_readfile(path, chunk_size=_CHUNK)))

    def write(self, path: str, data: bytes) -> None:
        """Write a file whole or not at all: beside it first, then in its place."""
        new = f"{path}.new"
        self._make_folders(path)
        self._do(lambda: self._line.fs_writefile(new, data, chunk_size=_CHUNK))
        self.lines(_RENAME.format(new=new, path=path))

    def remove(self, path: str) -> None:
        self._do(lambda: self._line.fs_rmfile(path))

    def resume(self) -> None:
        """Let the product's program run on, then let go."""
        self._do(lambda: self._line.exec_raw_no_follow(_RESUME))
        self.close()

    def reset(self) -> None:
        """Restart the board as after power-on, then let go."""
        self._do(lambda: self._line.exec_raw_no_follow(_RESET))
        time.sleep(0.2)
        self.close()

    def _make_folders(self, path: str) -> None:
        parts = path.strip("/").split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/" + "/".join(parts[:depth])
            if not self._do(partial(self._line.fs_exists, folder)):
                self._do(partial(self._line.fs_mkdir, folder))

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as err:
            raise Trouble(
                "board.answer",
                f"the board on {self.port} gave no answer that can be read",
                fix=AGAIN,
            ) from err
        if not isinstance(said, Mapping):
            what = f"the board on {self.port} answered with no object"
            raise Trouble("board.answer", what, fix=AGAIN)
        if "error" in said:
            code = str(said["error"])[:40]
            what = f"the agent refused: {str(said.get('text'))[:200]}"
            raise Trouble(f"agent.{code}", what, fix=_remedy(code))
        return dict(said)

    def _do(self, act: Callable[[], T]) -> T:
        """One exchange; every way a line can break becomes Trouble."""
        try:
            return act()
        except TransportExecError as err:
            raise _raised(err.error_output.encode()) from err
        except (TransportError, struct.error, IndexError) as err:
            raise _gone(self.port) from err
        except OSError as err:
            if err.errno == errno.ENOSPC:
                raise Trouble(
                    "board.full", "the board's file system is full", fix="remove files from it"
                ) from err
            raise _gone(self.port) from err


def _remedy(code: str) -> str:
    """What the page of error codes says to do; the board has no room for it."""
    for row in _ERRORS.read_text(encoding="utf-8").splitlines():
        if row.startswith(f"| `{code}` |"):
            return row.split(" | ")[3].replace("`", "")
    return AGAIN


_NO_LIST = "the board's list of files cannot be read"


def _path_and_digest(line: bytes) -> tuple[str, bytes]:
    try:
        digest, path = bytes.fromhex(line[:64].decode()), line[64:].decode()
    except ValueError as err:
        raise Trouble("board.answer", _NO_LIST, fix=AGAIN) from err
    if len(digest) != 32 or not path.startswith("/"):
        raise Trouble("board.answer", _NO_LIST, fix=AGAIN)
    return path, digest


def _raised(output: bytes) -> Trouble:
    last = output.decode("utf-8", "replace").strip().splitlines()[-1:] or [""]
    if last[0].startswith("ImportError"):
        return Trouble("agent.missing", "there is no agent on the board", fix="troth provision")
    if last[0].startswith("MemoryError"):
        return Trouble(
            "board.memory", "the board ran out of memory", fix="start less in boot.py and main.py"
        )
    return Trouble(
        "board.exec", "the board could not do what it was asked", why=last[0][:200], fix=AGAIN
    )


def _no_prompt(port: str) -> Trouble:
    others = holders(port)
    return Trouble(
        "port.no-repl",
        f"no prompt answers on {port}",
        why="a sealed board answers over the network alone; a blank one has no MicroPython"
        + (f"; also open in {', '.join(others)}" if others else ""),
        fix="if it should answer: end other terminals, press reset, try again",
    )


def _gone(port: str) -> Trouble:
    return Trouble(
        "board.unplugged",
        f"the board on {port} went away in the middle",
        fix="plug it in and run the same command again: it goes on where it was",
    )
