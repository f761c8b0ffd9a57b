"""Where the emulator keeps things outside the project: keys, and who runs right now."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def state_home() -> Path:
    """What outlives a run: the boot key."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "troth" / "emulator"


def runtime_dir() -> Path:
    """Sockets of running emulators, of this user alone."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and os.access(base, os.W_OK):
        path = Path(base) / "troth-emu"
    else:
        path = Path(tempfile.gettempdir()) / f"troth-emu-{os.getuid()}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
