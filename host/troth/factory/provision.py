"""From a bare board to an enrolled one, step by step; every step looks at the board before it acts.

detect > chip > agent > settings > files > key > attest > enrol > seal > run. Nothing is registered
before the board's first evidence was verified in memory, so a board that is pulled out leaves
nothing behind, and the same command run again goes on where it was (keyed by MAC).
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from ..core.claims import ClaimsSet
from ..core.device import Profile, Provisioning
from ..core.errors import Rejected
from ..core.freshness import Challenge
from ..core.trust import KnownKey
from ..core.verify import Report, authenticated, described, parse_evidence
from ..store import Store
from ..trouble import Trouble
from . import enrol, fuses
from .custody import HARDWARE, said_key
from .enrol import Seen
from .image import CHIPS
from .journal import Journal
from .manifest import AGENT, SETTINGS, board_tree, executable, read_settings
from .order import Order, Preview, Verifier
from .serial import AGAIN, Board

CA_FILE = "/troth-ca.der"
_RELEASED = ("boot.firmware-known", "boot.files-known")
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
print('troth: '+json.dumps(r))
"""
_BARE = {"oemid": 0, "swname": "main", "swversion": "0", "interval_s": 60}


Tell = Callable[[str, str | None, str, str], None]  # port, MAC, step, detail


@dataclass(slots=True)
class Station:
    """One port of the line, and what it learns on the way."""

    port: str
    order: Order
    store: Store
    verifier: Verifier
    journal: Journal
    tell: Tell
    halt: Event = field(default_factory=Event)  # set: stop before the next step
    mac: str | None = None
    chip: str = ""
    frozen: bool = False
    build: str = "P0"
    files: dict[str, bytes] = field(default_factory=dict)  # on the board: path -> SHA-256
    changed: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    done: dict[str, Any] = field(default_factory=dict)

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
        self.tell(self.port, self.mac, "done", str(self.done.get("state", "")))
        return {**self.done, "sealed": self.order.seal, "notes": self.notes}

    def _at_the_prompt(self, board: Board) -> None:
        """The steps that need an open prompt; the last one gives it back, or closes it."""
        self._step("chip", lambda: self._identify(board))
        self._step("agent", lambda: self._install_agent(board))
        self._step("settings", lambda: self._write_settings(board))
        self._step("files", lambda: self._write_files(board))
        seen = self._step("key", lambda: self._make_key(board))
        self._step("attest", lambda: self._attest(board, seen))
        if self.order.seal:
            self._step("seal", lambda: self._seal(board))
        else:
            self._step("run", board.reset)

    def _step(self, name: str, act: Callable[[], Any]) -> Any:
        if self.halt.is_set():
            raise Trouble("board.stopped", f"stopped before {name}", fix="run it again to go on")
        self.journal.write(self.port, self.mac, name, "begin")
        self.tell(self.port, self.mac, name, "")
        try:
            result = act()
        except Trouble as err:
            self.journal.write(self.port, self.mac, name, "failed", code=err.code)
            self.tell(self.port, self.mac, name, f"FAILED {err.code}")
            raise
        self.journal.write(self.port, self.mac, name, "done")
        return result

    def _identify(self, board: Board) -> None:
        """The chip from the header of the running image: the one hint that a file cannot change."""
        said = board.ask(_PROBE)
        chip = CHIPS.get(said.get("chip", -1)) if said.get("magic") == 0xE9 else None
        mac = said.get("mac")
        if chip is None or not isinstance(mac, str) or len(mac) != 12:
            raise Trouble(
                "board.chip-unknown",
                f"the board on {self.port} is none that Troth knows",
                why=f"it calls itself {str(said.get('machine'))[:80]!r}",
                fix="an ESP32 with MicroPython's esp32 port is needed",
            )
        self.chip, self.mac = chip, mac.lower()
        self.files = board.digests()

    def _install_agent(self, board: Board) -> None:
        """Install what differs; a frozen agent is left alone and no file may stand in for it."""
        inside = any("/troth_agent" in path for path in self.files)
        self.frozen = not inside and self._frozen(board)
        tree = board_tree(self.order.files or {}, frozen=self.frozen)
        self._put(board, {path: text for path, text in tree.items() if path.startswith(AGENT)})

    def _frozen(self, board: Board) -> bool:
        try:
            said = board.agent("identify()")
        except Trouble as err:
            if err.code == "agent.missing":
                return False
            raise
        self.build = str(said.get("build"))
        return True

    def _write_settings(self, board: Board) -> None:
        given = (self.order.files or {}).get(SETTINGS)
        if given is None and SETTINGS in self.files:
            given = board.read(SETTINGS)
        bare = {**_BARE, "hwmodel": self.order.model or "own-board"}
        self.settings = read_settings(given or json.dumps(bare).encode(), "troth.json")
        if self.order.model not in (None, self.settings["hwmodel"]):
            raise Trouble(
                "board.model",
                f"troth.json says model {self.settings['hwmodel']}, not {self.order.model}",
                fix="name the right --files, or leave --model out",
            )
        merged = {**self.settings, "url": self.order.url, "ca": CA_FILE}
        text = json.dumps(merged, indent=2, sort_keys=True).encode() + b"\n"
        self._put(board, {CA_FILE: self.order.ca, SETTINGS: text})

    def _write_files(self, board: Board) -> None:
        """The product's files; with --files nothing else that could execute stays on the board."""
        tree = board_tree(self.order.files or {}, frozen=self.frozen)
        if self.order.files is not None:
            for path in sorted(set(executable(self.files)) - set(tree)):
                self.tell(self.port, self.mac, "files", f"remove {path}")
                board.remove(path)
                self.files.pop(path)
                self.changed = True
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

    def _put(self, board: Board, files: Mapping[str, bytes]) -> None:
        for path, text in sorted(files.items()):
            digest = hashlib.sha256(text).digest()
            if self.files.get(path) == digest:
                continue
            self.tell(self.port, self.mac, "files", f"write {path}")
            board.write(path, text)
            self.files[path] = digest
            self.changed = True

    def _make_key(self, board: Board) -> Seen:
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

    def _attest(self, board: Board, seen: Seen) -> None:
        """First evidence, verified in memory; only then unit, key and record are written.

        A unit that is yet to be sealed is not finished: its evidence stays in the line's record,
        and its history begins with its first report from behind the seal.
        """
        now = int(time.time())
        key = enrol.known_key(seen, "", self.verifier.ring)
        before = enrol.check(self.store, seen, key.key_id, rekey=self.order.rekey)
        row = enrol.draft(
            self.store,
            seen,
            self.order.sale,
            before,
            name=self.order.name,
            given=self.order.sale_given,
            at=now,
        )
        challenge = self.verifier.challenge(bytes.fromhex(seen.ueid))
        raw = answer(board, challenge)
        report, claims_set = _verify(raw, seen, replace(key, device=row.id), challenge)
        line = Provisioning(now, seen.profile, seen.fuses, claims_set.digest)
        unit = enrol.registration(self.store, row, seen, line)
        found = self.verifier.preview(unit, report, claims_set, self.order.seal)
        self._check_released(found)
        line = replace(line, failing=found.short)
        proof = (challenge.nonce, raw)
        enrol.enrol(self.store, before, row, seen, line, key.key_id, proof=proof, at=now)
        told = found.told if self.order.seal else self.verifier.submit(challenge.session, raw)
        self.done = {
            "device": row.id,
            "name": row.name,
            "mac": seen.mac,
            "chip": seen.chip,
            "model": seen.model,
            "profile": seen.profile.value,
            "key": key.key_id.hex(),
            **told,
        }

    def _check_released(self, found: Preview) -> None:
        """A sealed board is hard to mend: it must not leave the line with what nobody released."""
        strange = [duty for duty in _RELEASED if duty in found.short]
        if not strange or not self.order.seal or self.order.seal_anyway:
            return
        raise Trouble(
            "board.not-released",
            "the board runs what was not released: it is not sealed, and nothing was registered",
            why=str(found.told["because"].get(strange[0], strange[0])),
            fix="put the released app and --files on it, or release these: troth release add; "
            "--seal-anyway seals it as it is",
        )

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
        self.mac = before.get("mac")
        row = self.store.device(self.mac) if self.mac else None
        if row is None:
            raise err
        if before["step"] == "sealed" and before["state"] == "done":
            why = f"the last board on this port was {row.name}, done and sealed; {err.why}"
            raise Trouble(err.code, err.what, why=why, fix=err.fix)
        self.journal.write(self.port, self.mac, "sealed", "done")
        self.tell(self.port, self.mac, "done", "sealed before")
        return {"device": row.id, "name": row.name, "mac": self.mac, "sealed": True}


def answer(board: Board, challenge: Challenge) -> bytes:
    """The board's evidence for a challenge, given over the serial line."""
    said = board.agent(f"answer('{challenge.nonce.hex()}')").get("evidence", "")
    try:
        return b64decode(said, validate=True)
    except (ValueError, TypeError) as err:
        raise Trouble("board.answer", "the board's evidence cannot be read", fix=AGAIN) from err


def _verify(
    raw: bytes, seen: Seen, key: KnownKey, challenge: Challenge
) -> tuple[Report, ClaimsSet]:
    try:
        report = authenticated(parse_evidence(raw), key, challenge, now=int(time.time()))
        claims_set = described(report, None)
    except Rejected as err:
        raise Trouble(
            err.code, "the board's first evidence is refused", why=str(err), fix=AGAIN
        ) from err
    if claims_set is None:
        raise Trouble("board.answer", "the board kept its claims-set back", fix=AGAIN)
    said = claims_set.claims
    if (said.chip, said.fuses) != (seen.chip, seen.fuses):
        raise Trouble(
            "board.contradicts",
            "the evidence tells of another chip than the line saw",
            fix="install the released firmware and agent, then try again",
        )
    return report, claims_set


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"
