"""Processes of ours: started, heard once, and ended by their own pid."""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..bundled import bundled
from ..trouble import Trouble

EMULATOR = (sys.executable, str(bundled("boards") / "emulator"))
TROTH = (sys.executable, "-m", "troth")


class Child:
    """A long-running process that prints one JSON document when it is ready."""

    def __init__(
        self, argv: Sequence[str], log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        with log.open("ab") as errors:
            # a session of its own: Ctrl-C reaches us alone, and we end it in order
            self._process = subprocess.Popen(
                argv,
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                env=env,
                preexec_fn=_end_with_parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def document(self, timeout_s: float = 30) -> dict[str, Any]:
        """Its first JSON document on stdout; Trouble `child.silent` when none comes."""
        out = self._process.stdout
        if out is None:
            raise RuntimeError("a child is always started with a pipe")
        heard = b""
        end = time.monotonic() + timeout_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([out], [], [], left)[0]:
                break
            piece = os.read(out.fileno(), 65536)
            if not piece:
                break
            heard += piece
            try:
                said: dict[str, Any] = json.loads(heard)
            except ValueError:
                continue
            return said
        self.stop()
        raise Trouble("child.silent", "a process of ours did not get ready", why=self._last_words())

    def stop(self, grace_s: float = 5) -> None:
        """Ask it to end; insist after the grace."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()[-3:]
        return f"exit {self._process.poll()}: " + " | ".join(lines)[-400:]


def _end_with_parent() -> None:
    """Whatever happens to us, a child does not stay behind (Linux, prctl PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def emulator(*words: str, env: Mapping[str, str] | None = None) -> str:
    """Run the emulator's command line to its end and give its stdout."""
    argv = [*EMULATOR, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise Trouble("board.emulator", f"emu {words[0]} failed", why=done.stderr.strip()[-400:])
    return done.stdout
