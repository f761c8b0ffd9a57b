"""The steps at a board's prompt: each looks at the board before it acts.

chip > agent > settings > link > files > key. What they learn on the way is kept here; they tell of
files that they write or remove, and raise Trouble.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.device import Profile
from ..trouble import Trouble
from . import fuses
from .custody import HARDWARE, said_key
from .enrol import Seen
from .hardening import load_chip
from .image import CHIPS
from .manifest import AGENT, SETTINGS, board_tree, executable, read_settings
from .order import CA_FILE, Order
from .serial import Board

_PROBE = """
import json,sys,binascii
try:
 import esp32,machine
 h=bytearray(24)
 esp32.Partition(esp32.Partition.RUNNING).readblocks(0,h,0)
 r={'magic':h[0],'chip':h[12]|h[13]<<8,'mac':binascii.hexlify(machine.unique_id()[:6]).decode()}
except ImportError:
 r={}
r['machine']=getattr(sys.implementation,'_machine',sys.platform)
r['bytecode']=getattr(sys.implementation,'_mpy',0)&255
print('troth: '+json.dumps(r))
"""
_BARE = {"oemid": 0, "swname": "main", "swversion": "0", "interval_s": 60}


@dataclass(slots=True)
class Steps:
    """What is done to one board, and what it is found to be."""

    order: Order
    tell: Callable[[str, str], None]  # step, detail
    mac: str | None = None
    chip: str = ""
    bytecode: int = 0  # the version that its MicroPython runs
    frozen: bool = False
    build: str = "P0"
    files: dict[str, bytes] = field(default_factory=dict)  # on the board: path -> SHA-256
    changed: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def identify(self, board: Board) -> None:
        """The chip from the header of the running image: the one hint that a file cannot change."""
        said = board.ask(_PROBE)
        chip = CHIPS.get(said.get("chip", -1)) if said.get("magic") == 0xE9 else None
        mac = said.get("mac")
        if chip is None or not isinstance(mac, str) or len(mac) != 12:
            raise Trouble(
                "board.chip-unknown",
                f"the board on {board.port} is none that Troth knows",
                why=f"it calls itself {str(said.get('machine'))[:80]!r}",
                fix="an ESP32 with MicroPython's esp32 port is needed",
            )
        self.chip, self.mac, self.bytecode = chip, mac.lower(), said.get("bytecode", 0)
        self.files = board.digests()
        self.settings = self._settings(board)  # before anything is written

    def install_agent(self, board: Board) -> None:
        """Install what differs; a frozen agent is left alone and no file may stand in for it."""
        inside = any("/troth_agent" in path for path in self.files)
        self.frozen = not inside and self._frozen(board)
        tree = board_tree(self.order.files or {}, frozen=self.frozen)
        agent = {path: text for path, text in tree.items() if path.startswith(AGENT)}
        self._check_bytecode(board, agent)
        # MicroPython takes a source file before the bytecode beside it
        self._remove(
            board, "agent", [path for path in self.files if path.startswith(f"{AGENT}/")], agent
        )
        self._put(board, agent)

    def _check_bytecode(self, board: Board, agent: Mapping[str, bytes]) -> None:
        made = {text[1] for path, text in agent.items() if path.endswith(".mpy") and len(text) > 1}
        if made - {self.bytecode}:
            raise Trouble(
                "board.bytecode",
                f"the board on {board.port} cannot run the agent's bytecode",
                why=f"it is of version {max(made)}, that of its MicroPython is {self.bytecode}",
                fix="install MicroPython 1.29, or add the agent's sources to --files"
                " as lib/troth_agent",
            )

    def _frozen(self, board: Board) -> bool:
        try:
            said = board.agent("identify()")
        except Trouble as err:
            if err.code == "agent.missing":
                return False
            raise
        self.build = str(said.get("build"))
        return True

    def _settings(self, board: Board) -> dict[str, Any]:
        given = (self.order.files or {}).get(SETTINGS)
        if given is None and SETTINGS in self.files:
            given = board.read(SETTINGS)
        bare = {**_BARE, "hwmodel": self.order.model or "own-board"}
        said = read_settings(given or json.dumps(bare).encode(), "troth.json")
        if self.order.model not in (None, said["hwmodel"]):
            raise Trouble(
                "board.model",
                f"troth.json says model {said['hwmodel']}, not {self.order.model}",
                fix="name the right --files, or leave --model out",
            )
        if said.get("signer") == "efuse-hmac" and not load_chip(self.chip).hmac:
            raise Trouble(
                "signer.absent",
                f"troth.json says signer efuse-hmac, and an {self.chip} has no HMAC peripheral",
                fix='"signer": "soft" or "atecc608", or another chip',
            )
        return said

    def write_settings(self, board: Board) -> None:
        said = self.order.settle(self.settings, self.mac or "")
        self._put(board, {CA_FILE: self.order.ca, SETTINGS: said})

    def reach_server(self, board: Board) -> None:
        """The board meets its server, if that runs: then its version of TLS is known at once."""
        if not self.changed:
            return
        try:
            board.agent("reach()")
        except Trouble as err:
            why = f"{err.code}: {err.what}"
            self.notes.append(f"its server was not reached, so it shows no TLS version yet ({why})")

    def write_files(self, board: Board) -> None:
        """The product's files; with --files nothing else that could execute stays on the board."""
        tree = board_tree(self.order.files or {}, frozen=self.frozen)
        if self.order.files is not None:
            self._remove(board, "files", executable(self.files), tree)
        elif "/main.py" in self.files:
            tree.pop("/main.py", None)  # a program of one's own is not ours to replace
        rest = {p: t for p, t in tree.items() if not p.startswith(AGENT) and p != SETTINGS}
        main = {"/main.py": rest.pop("/main.py")} if "/main.py" in rest else {}
        self._put(board, rest)
        self._put(board, main)  # last: a board pulled out half-way does not start half a product
        if "/main.py" in self.files and not self._reports(board, main):
            self.notes.append(
                "main.py does not call troth_agent: the board reports only when asked"
            )
        if self.changed:
            board.restart()  # so that boot.py has its say before the board gives its word

    def _reports(self, board: Board, main: Mapping[str, bytes]) -> bool:
        return b"troth_agent" in (main.get("/main.py") or board.read("/main.py"))

    def _remove(
        self, board: Board, step: str, there: Iterable[str], wanted: Mapping[str, bytes]
    ) -> None:
        for path in sorted(set(there) - set(wanted)):
            self.tell(step, f"remove {path}")
            board.remove(path)
            self.files.pop(path)
            self.changed = True

    def _put(self, board: Board, files: Mapping[str, bytes]) -> None:
        for path, text in sorted(files.items()):
            digest = hashlib.sha256(text).digest()
            if self.files.get(path) == digest:
                continue
            self.tell("files", f"write {path}")
            board.write(path, text)
            self.files[path] = digest
            self.changed = True

    def make_key(self, board: Board) -> Seen:
        """The key is made on the board; what the agent says of the chip must be what we saw."""
        said = board.agent("enroll()")
        seen = fuses.decode(self.chip, board.ask(fuses.read_code(self.chip)).get("words", []))
        if (said.get("mac"), said.get("chip"), said.get("fuses")) != (
            self.mac,
            self.chip,
            seen.words,
        ):
            raise Trouble(
                "board.contradicts",
                "the agent says otherwise of this chip than the line saw",
                why="MAC, chip or fuses differ",
                fix="install the released firmware and agent, then try again",
            )
        public, kid, origin = said_key(said)
        profile = self._profile(seen, origin)
        model = self.settings["hwmodel"]
        return Seen(self.mac or "", self.chip, public, origin, seen.words, profile, model, kid)

    def _profile(self, seen: fuses.Fuses, origin: str) -> Profile:
        hardened = seen.secure_boot and seen.flash_encryption and self.frozen
        stock = Profile.P1 if origin in HARDWARE else Profile.P0
        profile = Profile.P2 if hardened and self.build == "P2" else stock
        if self.order.profile not in (None, profile):
            raise Trouble(
                "board.profile",
                f"the line sees a {profile} board, not {self.order.profile}",
                why=f"secure boot {_yes(seen.secure_boot)}, flash encryption"
                f" {_yes(seen.flash_encryption)}, frozen agent {_yes(self.frozen)},"
                f" key in {origin}",
                fix=f"leave --profile out, or flash a {self.order.profile} build",
            )
        if self.order.seal and profile is not Profile.P2:
            raise Trouble(
                "board.not-sealable",
                "a stock build cannot be sealed: its prompt is built in",
                fix="leave --seal out, or flash a hardened build",
            )
        return profile


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
