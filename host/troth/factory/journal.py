"""The line's journal: a JSON line before and after each step, on disk before the step goes on.

Every step looks at the board itself before it acts, so a rerun simply goes on; the journal tells
people what happened, and remembers what a board can no longer say: that it was being sealed.
"""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from ..trouble import Trouble


class Journal:
    """One file in the home, shared by all ports of the line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def write(self, port: str, mac: str | None, step: str, state: str, **more: Any) -> None:
        """Add a line; it is on disk when this returns."""
        row = {"at": int(time.time()), "port": port, "mac": mac, "step": step, "state": state}
        line = json.dumps({**row, **more}, ensure_ascii=False) + "\n"
        try:
            with self._lock, self.path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as err:
            raise Trouble(
                "home.unwritable",
                f"cannot write {self.path}",
                why=str(err.strerror),
                fix="make room or give yourself the right to write there, then run it again",
            ) from err

    def last(self, port: str) -> dict[str, Any] | None:
        """How far a port got; looking for a board and failing is not getting anywhere.

        A line that was cut off by a power failure is passed by.
        """
        found: dict[str, Any] | None = None
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        for line in lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if not isinstance(row, dict) or row.get("port") != port:
                continue
            if row.get("state") != "failed" and row.get("step") != "detect":
                found = row
        return found
