"""What goes wrong, for people: one code, one sentence, one thing to do (HOUSE.md, error codes)."""

from __future__ import annotations

USAGE = 2
BOARD = 6


class Trouble(Exception):
    """A failure with its remedy; `exit_code` is what the command ends with."""

    def __init__(self, code: str, what: str, fix: str, exit_code: int = BOARD) -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.fix = fix
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"error[{self.code}] {self.what}\n  fix:  {self.fix}"

    def document(self) -> dict[str, str | int]:
        """The same for programs, as the verifier's own commands tell it."""
        return {
            "schema": "troth/error/1",
            "code": self.code,
            "what": self.what,
            "why": "",
            "fix": self.fix,
            "exit": self.exit_code,
        }
