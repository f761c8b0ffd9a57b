"""Why a serial port cannot be opened, told to a person: missing, not allowed, or held by whom."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..trouble import Trouble


def explain(port: str) -> Trouble:
    """Why a port would not open: `port.missing`, `.denied`, `.kind` (no serial port), `.busy`."""
    if "://" in port:
        return Trouble("port.missing", f"nothing answers at {port}", fix="is the other end up?")
    if not os.path.exists(port):
        return Trouble(
            "port.missing", f"there is no port {port}", fix="plug the board in, or troth emu list"
        )
    if not os.access(port, os.R_OK | os.W_OK):
        return Trouble(
            "port.denied",
            f"you may not use {port}",
            why=f"it belongs to {Path(port).group()}",
            fix=f"sudo usermod -aG {Path(port).group()} $USER, then log in again",
        )
    if not _is_line(port):
        return Trouble("port.kind", f"{port} is no serial port", fix="see them: mpremote devs")
    held = holders(port)
    return Trouble(
        "port.busy",
        f"another program holds {port}",
        why=", ".join(held) if held else "it does not show which",
        fix="end that program, then try again",
    )


def _is_line(port: str) -> bool:
    """A terminal device; one that cannot even be opened is taken for one that is held."""
    if not stat.S_ISCHR(os.stat(port).st_mode):
        return False
    try:
        handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        return os.isatty(handle)
    finally:
        os.close(handle)


def holders(port: str) -> tuple[str, ...]:
    """Other processes that locked this port; those that merely have it open when none did."""
    try:
        seen = os.stat(port)
    except OSError:
        return ()
    return _lockers(seen) or _openers(port)


def _lockers(seen: os.stat_result) -> tuple[str, ...]:
    """/proc/locks: `1: FLOCK  ADVISORY  WRITE 812 00:18:5 0 EOF` (proc_locks(5))."""
    found = []
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return ()
    for line in lines:
        words = line.split()
        if len(words) < 6 or words[1] == "->":
            continue
        major, minor, inode = words[5].split(":")
        if int(inode) == seen.st_ino and os.makedev(int(major, 16), int(minor, 16)) == seen.st_dev:
            found.append(_named(int(words[4])))
    return tuple(dict.fromkeys(name for name in found if name))


def _openers(port: str) -> tuple[str, ...]:
    """Who has the device open, as far as /proc lets us see."""
    real = os.path.realpath(port)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(handle) == real for handle in (process / "fd").iterdir()):
                found.append(_named(int(process.name)))
        except OSError:
            continue  # it ended, or is not ours to look into
    return tuple(name for name in found if name)


def _named(pid: int) -> str:
    if pid == os.getpid():
        return ""
    try:
        return f"{Path(f'/proc/{pid}/comm').read_text(encoding='utf-8').strip()} (pid {pid})"
    except OSError:
        return f"pid {pid}"
