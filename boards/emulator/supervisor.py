"""One process, N boards: switches them on, answers the control socket, cleans up."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from emulator import spoil
from emulator.board import Board
from emulator.folder import Order, flash_image, make_folder
from emulator.places import runtime_dir
from emulator.trouble import BOARD, USAGE, Trouble
from emulator.vm import Vm, find_vm


class Supervisor:
    """The boards of one `emu run`."""

    def __init__(self, orders: list[Order], state_dir: Path | None) -> None:
        self._orders = orders
        self._keep = state_dir
        self._home = state_dir or Path(tempfile.mkdtemp(prefix="troth-emu-"))
        self._stop = asyncio.Event()
        self.boards: dict[str, Board] = {}

    async def run(self, ready: Callable[[list[dict[str, Any]]], None]) -> None:
        """Until Ctrl-C, SIGTERM or `emu stop`."""
        loop = asyncio.get_running_loop()
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(one, self._stop.set)
        socket_path = runtime_dir() / f"{os.getpid()}.sock"
        folders = socket_path.with_suffix(".boards")  # who is killed cannot remove them himself
        if self._keep is None:
            folders.unlink(missing_ok=True)
            folders.symlink_to(self._home)
        try:
            vm = find_vm()
            for order in self._orders:
                self._build(order, vm)
            for board in self.boards.values():
                board.power_on()
                self._must_start(board)
            server = await asyncio.start_unix_server(self._serve, socket_path)
            ready(self.list())
            await self._stop.wait()
            server.close()
        finally:
            socket_path.unlink(missing_ok=True)
            for board in self.boards.values():
                board.close()
            if self._keep is None:
                shutil.rmtree(self._home, ignore_errors=True)
                folders.unlink(missing_ok=True)

    def _build(self, order: Order, vm: Vm) -> None:
        at = self._home / order.name
        new = not (at / "board.json").is_file()
        if new:
            make_folder(at, order, spoil.spare_fuses(order.fault))
        board = Board(order, at, vm)
        self.boards[order.name] = board
        if not new:
            _must_be_same(board)
            flash_image(at, order)
            said = board.facts["fault"]
            board.fault = str(said) if said else None
            return
        board.first_boot()
        if order.fault:
            spoil.build_in(board, order.fault, self.boards)

    def _must_start(self, board: Board) -> None:
        """An image that the chip refuses is the caller's mistake, so say it at once."""
        if board.state == "halted":
            order = board.order
            raise Trouble(
                "app.refused",
                f"{order.name}: {board.why}",
                f"build one: troth emu image --chip {order.chip} --profile {order.profile}"
                " --version 1.0.0 -o app.bin",
            )

    def list(self) -> list[dict[str, Any]]:
        """One row for each board."""
        return [
            {
                "name": board.order.name,
                "chip": board.order.chip,
                "profile": board.order.profile,
                "port": board.port,
                "state": board.state,
                "fault": board.fault,
            }
            for board in self.boards.values()
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, ValueError):
            asked = json.loads(await reader.readline())
            writer.write(json.dumps(self._answer(asked)).encode() + b"\n")
            await writer.drain()
        writer.close()

    def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._do(asked)
        except Trouble as err:
            return {"error": [err.code, err.what, err.fix, err.exit_code]}
        except (OSError, subprocess.SubprocessError) as err:
            return {"error": ["board.flash", str(err), "see: troth doctor", BOARD]}

    def _do(self, asked: dict[str, Any]) -> dict[str, Any]:
        verb = asked.get("do")
        if verb == "fault":
            board = self.boards[asked["name"]]
            spoil.set_fault(board, asked["fault"], self.boards)
        elif verb == "stop":
            for name in asked["names"]:
                if name in self.boards:
                    self.boards.pop(name).close()
            if not self.boards:
                self._stop.set()
        return {"boards": self.list()}


def _must_be_same(board: Board) -> None:
    """A folder that is kept holds one board; it does not become another."""
    kept = board.facts
    wanted = {"chip": board.order.chip, "profile": board.order.profile}
    was = {key: kept[key] for key in wanted}
    if was != wanted:
        raise Trouble(
            "board.other",
            f"{board.at} holds another board: {was['chip']} {was['profile']}",
            "run it as what it is, or choose another --name or --state-dir",
            USAGE,
        )
