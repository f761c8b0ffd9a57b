"""What boards show to a broker: a password for each, made once, in the form of a broker's list."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from threading import Lock

from ..trouble import Trouble


class Passwords:
    """Lines of `user:password`, which `mosquitto_passwd -U` takes. Of several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def of(self, user: str) -> str:
        """The password that was made before, else a new one. Raises Trouble `key.exposed`."""
        with self._lock:
            found = self._kept().get(user)
            if found is None:
                found = secrets.token_urlsafe(24)
                self._keep(f"{user}:{found}\n")
            return found

    def _kept(self) -> dict[str, str]:
        try:
            if self._path.stat().st_mode & 0o077:
                fix = f"chmod 600 {self._path}"
                raise Trouble("key.exposed", f"others may read {self._path}", fix=fix)
            lines = self._path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return {}
        return {user: word for user, _, word in (line.partition(":") for line in lines)}

    def _keep(self, line: str) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "a", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
