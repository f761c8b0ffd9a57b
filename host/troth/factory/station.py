"""One port of the line: from a bare board to an enrolled one, and on where it was cut off.

detect > chip > agent > settings > link > files > key > attest > seal or run. Nothing is registered
before the board's first evidence was verified in memory, so a board that is pulled out leaves
nothing behind, and the same command run again goes on where it was (keyed by MAC).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from ..store import Store
from ..trouble import Trouble
from .journal import Journal
from .order import Order, Verifier
from .serial import Board
from .steps import Steps
from .word import first_word

Tell = Callable[[str, str | None, str, str], None]  # port, MAC, step, detail


@dataclass(slots=True)
class Station:
    """One port of the line, the board that is there, and what came of it."""

    port: str
    order: Order
    store: Store
    verifier: Verifier
    journal: Journal
    tell: Tell
    halt: Event = field(default_factory=Event)  # set: stop before the next step
    steps: Steps = field(init=False)
    done: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = Steps(self.order, self._tell)

    @property
    def mac(self) -> str | None:
        """Of the board that is there, as soon as it told."""
        return self.steps.mac

    def run(self) -> dict[str, Any]:
        """All steps. Raises Trouble at the first that fails."""
        before = self.journal.last(self.port)
        try:
            board = self._step("detect", lambda: Board.open(self.port, restart=True))
        except Trouble as err:
            if err.code == "port.no-repl" and before and "seal" in before["step"]:
                return self._sealed_before(before, err)
            raise
        with board:
            try:
                self._at_the_prompt(board)
            except Trouble:
                # a refused board goes on with what it did before it was asked
                with suppress(Trouble):
                    board.reset()
                raise
        if self.order.seal:
            self._step("sealed", self._check_sealed)
        self._tell("done", str(self.done.get("state", "")))
        return {**self.done, "sealed": self.order.seal, "notes": self.steps.notes}

    def _at_the_prompt(self, board: Board) -> None:
        """The steps that need an open prompt; the last one gives it back, or closes it."""
        steps = self.steps
        self._step("chip", lambda: steps.identify(board))
        self._step("agent", lambda: steps.install_agent(board))
        self._step("settings", lambda: steps.write_settings(board))
        self._step("link", lambda: steps.reach_server(board))
        self._step("files", lambda: steps.write_files(board))
        seen = self._step("key", lambda: steps.make_key(board))
        asked = (seen, self.order, self.store, self.verifier)
        self.done = self._step("attest", lambda: first_word(board, *asked))
        if self.order.seal:
            self._step("seal", lambda: self._seal(board))
        else:
            self._step("run", board.reset)

    def _tell(self, step: str, detail: str) -> None:
        self.tell(self.port, self.mac, step, detail)

    def _step(self, name: str, act: Callable[[], Any]) -> Any:
        if self.halt.is_set():
            raise Trouble("board.stopped", f"stopped before {name}", fix="run it again to go on")
        self.journal.write(self.port, self.mac, name, "begin")
        self._tell(name, "")
        try:
            result = act()
        except Trouble as err:
            self.journal.write(self.port, self.mac, name, "failed", code=err.code)
            self._tell(name, f"FAILED {err.code}")
            raise
        self.journal.write(self.port, self.mac, name, "done")
        return result

    def _seal(self, board: Board) -> None:
        board.seal()
        board.settle()

    def _check_sealed(self) -> None:
        """A seal that does not hold is worse than none: somebody relies on it."""
        try:
            board = Board.open(self.port, restart=False, tries=1, wait_s=2)
        except Trouble as err:
            if err.code == "port.no-repl":
                return
            raise
        board.close()
        raise Trouble(
            "board.not-sealed",
            f"the board on {self.port} still gives a prompt",
            fix="do not ship it: its build ignores the seal",
        )

    def _sealed_before(self, before: Mapping[str, Any], err: Trouble) -> dict[str, Any]:
        """The line stopped while it was sealing: the board is sealed, and was enrolled before that.

        Once the seal was checked, a silent board may as well be the next one: that is for people.
        """
        self.steps.mac = before.get("mac")
        row = self.store.device(self.mac) if self.mac else None
        if row is None:
            raise err
        if before["step"] == "sealed" and before["state"] == "done":
            why = f"the last board on this port was {row.name}, done and sealed; {err.why}"
            raise Trouble(err.code, err.what, why=why, fix=err.fix)
        self.journal.write(self.port, self.mac, "sealed", "done")
        self._tell("done", "sealed before")
        return {"device": row.id, "name": row.name, "mac": self.mac, "sealed": True}
