"""One running board: a VM process at a serial line, its resets, its power."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import termios
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from emulator import bootrom
from emulator.chips import load_chip
from emulator.folder import HERE, Order
from emulator.line import Line
from emulator.trouble import Trouble
from emulator.vm import Vm

POWER_ON, HARD, WATCHDOG, DEEPSLEEP, SOFT = 1, 2, 3, 4, 5
SOFT_FRIENDLY, SOFT_RAW, RESET, PANIC, SLEEP, BOOTLOADER = 0x40, 0x41, 0x42, 0x44, 0x45, 0x46
# what the emulator's own modules take of the VM's heap once all are in use, added so that a board
# has its own: on a chip they lie in flash
ROM_HEAP = 44_000


class Board:
    """A board with power, and resets as its VM asks for them."""

    def __init__(self, order: Order, at: Path, vm: Vm) -> None:
        self.order = order
        self.at = at
        self.state = "off"
        self.fault = order.fault
        self._vm = vm
        self._loop = asyncio.get_running_loop()
        self._line = Line(order.name, self._ended)
        self._process: subprocess.Popen[bytes] | None = None
        self._power_on_ms = 0
        self._wait_handle: asyncio.TimerHandle | None = None
        self._booted = 0.0
        self._quick_ends = 0
        self.why = ""

    @property
    def port(self) -> str:
        """Where to connect. mpremote knows a pty by its name, and waits at it for ever: at the port
        of a sealed board, which says nothing, it is to give up as it does on hardware."""
        return str(self._line.link) if self.sealed else self._line.pty

    @property
    def facts(self) -> dict[str, object]:
        """What the ROM reads of this board."""
        said: dict[str, object] = json.loads((self.at / "board.json").read_text())
        return said

    @property
    def sealed(self) -> bool:
        """A sealed build, or one that never had a prompt, has no REPL: its port is dead."""
        if self.order.profile != "P2":
            return False
        if not self.facts.get("prompt", True):
            return True
        with suppress(OSError, ValueError):
            kept = json.loads((self.at / "nvs.json").read_text())
            return bool(kept.get("troth", {}).get("sealed") == 1)
        return False

    def rewrite_facts(self, **changed: object) -> None:
        """Change what the ROM reads at the next boot."""
        (self.at / "board.json").write_text(json.dumps({**self.facts, **changed}))

    def workbench(self, *jobs: Mapping[str, object]) -> None:
        """Work on the flash with the power off: put files from the host, remove, append."""
        self.power_off()
        (self.at / "jobs.json").write_text(json.dumps(jobs))
        self.run_once("import _bench")
        (self.at / "jobs.json").unlink()

    def first_boot(self) -> None:
        """The line's first boot formats the flash and lays the ordered files on it."""
        files = self.order.files
        stock = () if self.order.hardened else ({"stock": "boot.py"},)
        jobs: list[dict[str, object]] = (
            [
                {"put": "/" + p.relative_to(files).as_posix(), "from": str(p.resolve())}
                for p in sorted(files.rglob("*"))
                if p.is_file()
            ]
            if files
            else []
        )
        if self.order.signer != "soft":
            jobs.append({"settings": "/troth.json", "set": {"signer": self.order.signer}})
        self.workbench(*stock, *jobs)

    def power_on(self) -> None:
        """Cold start: the clock and the RTC memory are lost."""
        for name in ("rtc.ms", "rtc.memory", "sleep.ms"):
            (self.at / name).unlink(missing_ok=True)
        self._power_on_ms = time.time_ns() // 1_000_000
        self._restart(POWER_ON)

    def power_off(self) -> None:
        """The plug is pulled."""
        self.state = "off"
        if self._wait_handle:
            self._wait_handle.cancel()
            self._wait_handle = None
        if self._process:
            with suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()
            self._line.drop()
            self._process = None

    def close(self) -> None:
        """Off for good; the port goes away."""
        self.power_off()
        self._line.close()

    # --- the VM

    def _environment(self, cause: int, raw: bool) -> dict[str, str]:
        return {
            "TROTH_BOARD": str(self.at),
            "TROTH_CAUSE": str(cause),
            "TROTH_RAW": "1" if raw else "0",
            "TROTH_POWER_ON_MS": str(self._power_on_ms),
            "MICROPYPATH": "",
        }

    def run_once(self, program: str, at: Path | None = None) -> None:
        """A short life of the VM for work on the board's flash, or on a copy of the board."""
        env = self._environment(POWER_ON, raw=False)
        if at:
            env["TROTH_BOARD"] = str(at)
        said = subprocess.run(
            [*self._vm.argv, "-c", program],
            cwd=HERE / "rom" / "boot",
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if said.returncode:
            last = (said.stdout + said.stderr).strip().splitlines()[-1:]
            what = f"{self.order.name}: {' '.join(last) or 'the VM ended'}"
            raise Trouble("board.flash", what, "fewer or smaller files in --files")

    def _start(self, cause: int, raw: bool) -> None:
        slave = self._line.connect()
        heap = (int(str(self.facts["heap_bytes"])) + ROM_HEAP) * self._vm.heap_factor
        self._line.mute = self.sealed
        self._process = subprocess.Popen(
            [*self._vm.argv, "-X", f"heapsize={heap}", "-c", "from _boot import start; start()"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=HERE / "rom" / "boot",
            env=self._environment(cause, raw),
            start_new_session=True,
            preexec_fn=_take_console,
        )
        os.close(slave)
        self._booted = time.monotonic()
        self.state = "sealed" if self._line.mute else "running"

    def _ended(self) -> None:
        """The VM is gone: its exit status says which kind of reset it was."""
        process = self._process
        if process is None:
            return
        self._process = None
        code = process.wait()
        self._quick_ends = self._quick_ends + 1 if time.monotonic() - self._booted < 0.2 else 0
        if code in (SOFT_FRIENDLY, SOFT_RAW):
            self._line.print(b"MPY: soft reboot\r\n")
            self._start(SOFT, raw=code == SOFT_RAW)
        elif code == BOOTLOADER:
            self.state = "bootloader"
            self._line.print(b"waiting for download\r\n")
        elif code == SLEEP:
            self._sleep()
        else:
            cause = WATCHDOG if code == -signal.SIGALRM else HARD
            # a board that cannot even start tries again, but not at full speed
            self._later(0.5 if self._quick_ends > 5 else 0.0, cause)

    def _sleep(self) -> None:
        ms = 0
        with suppress(OSError, ValueError):
            ms = int((self.at / "sleep.ms").read_text())
        self.state = "asleep"
        if ms:
            self._later(ms / 1000, DEEPSLEEP)

    def _later(self, seconds: float, cause: int) -> None:
        if seconds <= 0:
            self._restart(cause)
        else:
            self._wait_handle = self._loop.call_later(seconds, self._restart, cause)

    def _restart(self, cause: int) -> None:
        self._wait_handle = None
        self._line.print(b"ets Jul 29 2019 12:21:46\r\n\r\nrst:0x%x\r\n" % cause)
        chip = load_chip(self.order.chip)
        slot, refused = bootrom.start(chip, self.order.profile, self.at)
        if refused:
            self.state = "halted"
            self.why = refused
            self._line.print(refused.encode() + b"\r\n")
            return
        if slot != self.facts["running"]:
            self.rewrite_facts(running=slot)
        self._start(cause, raw=False)


def _take_console() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
