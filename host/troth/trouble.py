"""A failure told to a person: what, why, and the next command, under a stable code."""

from __future__ import annotations


class Trouble(Exception):
    """Something the user can mend; never a statement about a device.

    `code` is stable and dotted (`port.busy`), `what` one clause without a full stop, `why` the
    values behind it, `fix` the command or act that mends it.
    """

    def __init__(self, code: str, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.fix = fix
