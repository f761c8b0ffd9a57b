"""The line, step by step, on a board made of a dict: what it installs, registers and refuses."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from click.testing import CliRunner

import forge
import house
from troth.cli import root
from troth.core.device import Profile
from troth.factory import manifest, station
from troth.factory.enrol import Sale
from troth.factory.home import make_home
from troth.factory.image import CHIPS
from troth.factory.journal import Journal
from troth.factory.order import CA_FILE, Order
from troth.factory.passwords import Passwords
from troth.factory.station import Station
from troth.settings import MASTER
from troth.store import Store
from troth.trouble import Trouble

PORT = "/dev/ttyTEST0"
SETTINGS = {
    "oemid": "8945ad",
    "hwmodel": house.MODEL,
    "swname": "therm",
    "swversion": "1.4.2",
    "interval_s": 4,
}
FILES = {"/troth.json": json.dumps(SETTINGS).encode(), "/main.py": b"import troth_agent\n"}
ORDER = Order(url="https://127.0.0.1:8443", ca=b"a CA in DER", files=FILES)
P2_FUSES = struct.pack("<5I", 0x18F, 0x80000, 7 << 18, 1 << 20, 0x21)  # of an ESP32-S3


class FakeBoard:
    """One board behind the station's own interface; `plugged` counts the exchanges it has left."""

    here: FakeBoard | None = None
    port = PORT

    def __init__(
        self, device: forge.Device, *, frozen: bool = False, sealable: bool = True
    ) -> None:
        self.device = device
        self.frozen = frozen
        self.sealable = sealable
        self.sealed = False
        self.plugged = 10_000
        self.vfs: dict[str, bytes] = {"/boot.py": b"# as stock firmware makes it\n"}
        self.restarts = 0
        self.fuses = bytes(device.said["fuses"])
        self.chip = device.said["chip"]
        self.agent_fuses = self.fuses
        self.magic = 0xE9
        self.bytecode = 6
        self.key: dict[str, Any] = {}  # what a newer agent says of its key

    @classmethod
    def open(cls, port: str, **_: Any) -> FakeBoard:
        assert cls.here
        cls.here.use()
        if cls.here.sealed:
            raise Trouble("port.no-repl", "no prompt", why="sealed?")
        return cls.here

    def use(self) -> None:
        self.plugged -= 1
        if self.plugged < 0:
            raise Trouble("board.unplugged", "gone")

    def ask(self, code: str) -> dict[str, Any]:
        self.use()
        if "mem32" in code:
            return {"words": list(struct.unpack(f"<{len(self.fuses) // 4}I", self.fuses))}
        chip = next(number for number, name in CHIPS.items() if name == self.chip)
        return {
            "magic": self.magic,
            "chip": chip,
            "mac": self.device.mac.hex(),
            "bytecode": self.bytecode,
        }

    def agent(self, call: str) -> dict[str, Any]:
        self.use()
        if not self.frozen and manifest.AGENT + "/__init__.mpy" not in self.vfs:
            raise Trouble("agent.missing", "no agent")
        if call.startswith("identify"):
            return {"build": "P2" if self.frozen else "P0"}
        if call.startswith("reach"):
            raise Trouble("agent.link.io", "errno 111")
        if call.startswith("enroll"):
            return {
                "public_key": self.device.public_key.hex(),
                "fuses": self.agent_fuses.hex(),
                "chip": self.chip,
                "mac": self.device.mac.hex(),
                "key_origin": "nvs",
                **self.key,
            }
        nonce = re.findall(r"'([0-9a-f]+)'", call)[0]
        evidence = self.device.bundle(bytes.fromhex(nonce))
        return {"evidence": base64.b64encode(evidence).decode()}

    def digests(self) -> dict[str, bytes]:
        self.use()
        return {path: hashlib.sha256(text).digest() for path, text in self.vfs.items()}

    def read(self, path: str) -> bytes:
        self.use()
        return self.vfs[path]

    def write(self, path: str, text: bytes) -> None:
        self.use()
        self.vfs[path] = text

    def remove(self, path: str) -> None:
        self.use()
        del self.vfs[path]

    def restart(self) -> None:
        self.use()
        self.restarts += 1

    def seal(self) -> None:
        self.use()
        self.sealed = self.sealable

    def settle(self) -> None:
        self.use()

    def reset(self) -> None:
        self.use()

    def close(self) -> None:
        pass

    def __enter__(self) -> FakeBoard:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Line:
    """A home's worth of line, with its verifier."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        from troth.cli.line import LocalVerifier
        from troth.settings import load_settings

        make_home(folder)
        self.home = folder
        self.master = (folder / MASTER).read_bytes()
        self.store = Store.open(f"sqlite:///{folder / 'troth.db'}", create=True)
        self.verifier = LocalVerifier(load_settings(str(folder)), self.store)
        self.journal = Journal(folder / "line.jsonl")
        monkeypatch.setattr(station, "Board", FakeBoard)

    def run(self, board: FakeBoard, order: Order = ORDER) -> dict[str, Any]:
        FakeBoard.here = board
        quiet = lambda *_: None  # noqa: E731 - a row that nobody looks at
        return Station(PORT, order, self.store, self.verifier, self.journal, quiet).run()


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    made = Line(tmp_path, monkeypatch)
    yield made
    made.store.close()


def stock(seed: int = 1) -> FakeBoard:
    return FakeBoard(forge.Device(seed, profile="P0"))


def hardened(seed: int = 1) -> FakeBoard:
    device = forge.Device(seed)
    device.said["fuses"] = P2_FUSES
    return FakeBoard(device, frozen=True)


MAC_KEY = {"alg": 5, "public_key": None, "key_origin": "efuse"}


def fused(line: Line, **said: Any) -> FakeBoard:
    """A stock board whose key lies in a fuse, burned with this home's own master."""
    device = forge.MacDevice(master=line.master)
    board = FakeBoard(device)
    board.key = {**MAC_KEY, "kid": device.key_id.hex(), **said}
    return board


def code_of(line: Line, board: FakeBoard, order: Order = ORDER) -> str:
    with pytest.raises(Trouble) as caught:
        line.run(board, order)
    return caught.value.code


def test_a_bare_board_ends_enrolled(line: Line) -> None:
    board = stock()
    done = line.run(board)
    row = line.store.device(board.device.mac.hex())
    assert row
    assert (row.id, row.model, row.chip, row.own_use) == (
        done["device"], house.MODEL, "esp32s3", True,
    )  # fmt: skip
    record = line.store.provisioning(row.id)
    assert record
    assert (record.profile, record.fuses) == (Profile.P0, board.fuses.hex())
    assert record.claims_digest == board.device.set_digest()
    assert line.store.latest_evidence(row.id)


def test_what_is_on_the_board_is_what_a_release_promises(line: Line) -> None:
    board = stock()
    line.run(board)
    assert manifest.code_digest(board.vfs) == manifest.code_digest(
        manifest.board_tree(FILES, frozen=False)
    )
    said = json.loads(board.vfs["/troth.json"])
    link = {"url": ORDER.url, "link": "https", "ca": CA_FILE, "fresh": "challenge"}
    assert said == {**SETTINGS, **link}
    assert board.vfs[CA_FILE] == ORDER.ca


def test_a_board_behind_a_broker_has_a_password_of_its_own(line: Line, tmp_path: Path) -> None:
    kept = tmp_path / "mqtt.passwords"
    url = "mqtts://broker.example:8883"
    order = replace(ORDER, url=url, passwords=Passwords(kept))
    boards = [stock(), FakeBoard(forge.Device(2, profile="P0"))]
    for board in boards:
        line.run(board, order)
        written = dict(board.vfs)
        line.run(board, order)
        assert board.vfs == written, "made once"
    said = [json.loads(board.vfs["/troth.json"]) for board in boards]
    assert {each["url"] for each in said} == {url}
    assert {each["link"] for each in said} == {"mqtts"}
    lines = [
        f"{board.device.ueid.hex()}:{each['password']}"
        for board, each in zip(boards, said, strict=True)
    ]
    assert kept.read_text().splitlines() == lines
    assert len({each["password"] for each in said}) == 2
    kept.chmod(0o640)
    assert code_of(line, stock(), order) == "key.exposed"


def test_a_frozen_agent_gets_no_file_beside_it(line: Line) -> None:
    board = hardened()
    line.run(board)
    assert sorted(board.vfs) == ["/main.py", "/troth-ca.der", "/troth.json"]


def test_without_files_a_program_of_ones_own_stays(line: Line) -> None:
    board = stock()
    board.vfs["/main.py"] = b"print('mine')"
    line.run(board, replace(ORDER, files=None))
    assert board.vfs["/main.py"] == b"print('mine')"
    assert "/boot.py" in board.vfs


def test_a_second_run_writes_nothing_and_registers_nothing_twice(line: Line) -> None:
    board = stock()
    first = line.run(board)
    before, restarts = dict(board.vfs), board.restarts
    assert line.run(board)["device"] == first["device"]
    assert (board.vfs, board.restarts) == (before, restarts)
    assert len(line.store.devices()) == len(line.store.provisionings(first["device"])) == 1


def test_the_profile_is_what_the_line_sees(line: Line) -> None:
    assert line.run(hardened())["profile"] == "P2"
    assert line.run(stock(2))["profile"] == "P0"
    boasting = hardened(3)
    boasting.fuses = boasting.agent_fuses = bytes(20)
    boasting.device.said["fuses"] = bytes(20)
    assert line.run(boasting)["profile"] == "P0"


def test_a_sealed_board_is_checked(line: Line) -> None:
    board = hardened()
    assert line.run(board, replace(ORDER, seal=True))["sealed"] is True
    open_still = hardened(2)
    open_still.sealable = False
    assert code_of(line, open_still, replace(ORDER, seal=True)) == "board.not-sealed"


def test_a_sealed_units_history_begins_behind_the_seal(line: Line) -> None:
    board = hardened()
    done = line.run(board, replace(ORDER, seal=True))
    assert line.store.latest_evidence(done["device"]) is None
    (row,) = line.store.provisionings(done["device"])
    record = json.loads(row.record)
    evidence = base64.b64decode(record["evidence"])
    assert evidence == board.device.bundle(bytes.fromhex(record["nonce"]))
    assert row.provisioning.claims_digest == board.device.set_digest()


def test_a_line_that_stopped_while_sealing_goes_on(line: Line) -> None:
    board = hardened()
    order = replace(ORDER, seal=True)
    real = board.settle
    board.settle = lambda: (_ for _ in ()).throw(Trouble("board.unplugged", "gone"))  # type: ignore[method-assign]
    assert code_of(line, board, order) == "board.unplugged"
    board.settle = real  # type: ignore[method-assign]
    assert line.run(board, order)["sealed"] is True
    # and once it was checked, silence is not taken for the same board again
    assert code_of(line, board, order) == "port.no-repl"


def test_a_sold_unit_knows_its_market(line: Line) -> None:
    sale = Sale("consumer", "uk", house.NOW)
    line.run(stock(), replace(ORDER, sale=sale, sale_given=True))
    (row,) = line.store.devices()
    assert (row.market, row.product_class, row.own_use) == ("uk", "consumer", False)
    line.run(stock())
    assert line.store.devices() == (row,)


@pytest.mark.parametrize("left", range(0, 60, 3))
def test_pulled_out_at_any_moment_nothing_is_half_registered(line: Line, left: int) -> None:
    board = stock()
    board.plugged = left
    try:
        line.run(board)
    except Trouble as err:
        assert err.code == "board.unplugged"  # noqa: PT017 - either end is right, no other is
    for row in line.store.devices():
        assert line.store.keys(row.id)
        assert line.store.provisioning(row.id)
    board.plugged = 10_000
    line.run(board)
    assert len(line.store.devices()) == 1


def test_a_halted_line_stops_between_steps_and_goes_on_later(line: Line) -> None:
    board = stock()
    halt = Event()
    wrote = board.write

    def write(path: str, text: bytes) -> None:
        wrote(path, text)
        halt.set()

    board.write = write  # type: ignore[method-assign]
    FakeBoard.here = board
    here = Station(PORT, ORDER, line.store, line.verifier, line.journal, lambda *_: None, halt)
    with pytest.raises(Trouble) as caught:
        here.run()
    assert caught.value.code == "board.stopped"
    assert manifest.AGENT + "/__init__.mpy" in board.vfs
    assert "/troth.json" not in board.vfs
    assert line.run(board)["device"]


def _other_key(board: FakeBoard) -> None:
    other = forge.Device(99, profile="P0")
    other.mac, other.ueid = board.device.mac, board.device.ueid
    board.device = other


def test_another_key_under_a_known_mac_is_a_conflict(line: Line) -> None:
    board = stock()
    line.run(board)
    _other_key(board)
    assert code_of(line, board) == "id.conflict"
    line.run(board, replace(ORDER, rekey=True))
    (row,) = line.store.devices()
    assert [key.epoch for key in line.store.keys(row.id)] == [1, 2]


def test_a_copied_key_is_a_conflict(line: Line) -> None:
    line.run(stock())
    copy = stock()
    copy.device.mac = bytes.fromhex("a0764effffff")
    copy.device.ueid = b"\x02" + copy.device.mac
    assert code_of(line, copy) == "id.conflict"
    assert len(line.store.devices()) == 1


def test_fewer_fuses_than_in_the_record_is_another_chip(line: Line) -> None:
    board = hardened()
    line.run(board)
    board.fuses = board.agent_fuses = bytes(20)
    assert code_of(line, board) == "id.fuses"


def _contradict(board: FakeBoard) -> None:
    board.agent_fuses = b"\xff" * 20


def _unknown(board: FakeBoard) -> None:
    board.magic = 0x7F


def _other_bytecode(board: FakeBoard) -> None:
    board.bytecode = 7


def _forged(board: FakeBoard) -> None:
    board.device.ueid = b"\x02stranger"[:7]


@pytest.mark.parametrize(
    ("harm", "order", "code"),
    [
        pytest.param(_contradict, {}, "board.contradicts", id="agent-lies-of-fuses"),
        pytest.param(_unknown, {}, "board.chip-unknown", id="no-esp32"),
        pytest.param(_other_bytecode, {}, "board.bytecode", id="other-bytecode"),
        pytest.param(_forged, {}, "id.mismatch", id="evidence-of-another"),
        pytest.param(None, {"model": "other"}, "board.model", id="wrong-files"),
        pytest.param(None, {"profile": Profile.P2}, "board.profile", id="not-hardened"),
        pytest.param(None, {"seal": True}, "board.not-sealable", id="stock-cannot-be-sealed"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_is_registered(
    line: Line, harm: Any, order: dict[str, Any], code: str
) -> None:
    board = stock()
    if harm:
        harm(board)
    assert code_of(line, board, replace(ORDER, **order)) == code
    assert line.store.devices() == ()


def test_a_signer_that_the_chip_lacks_is_told_before_anything_is_written(line: Line) -> None:
    board = stock()
    board.chip = "esp32"
    said = json.loads((ORDER.files or {})["/troth.json"]) | {"signer": "efuse-hmac"}
    files = {**(ORDER.files or {}), "/troth.json": json.dumps(said).encode()}
    before = dict(board.vfs)
    assert code_of(line, board, replace(ORDER, files=files)) == "signer.absent"
    assert board.vfs == before


def test_of_an_agent_installed_before_no_source_stays_to_go_before_the_bytecode(line: Line) -> None:
    board = stock()
    board.vfs[f"{manifest.AGENT}/loop.py"] = b"# of last year"
    line.run(board, replace(ORDER, files=None, model=house.MODEL))
    ours = {path for path in board.vfs if path.startswith(manifest.AGENT)}
    assert ours == set(manifest.agent_tree())


def test_the_journal_tells_every_step_before_and_after(line: Line) -> None:
    line.run(stock())
    rows = [json.loads(row) for row in line.journal.path.read_text().splitlines()]
    steps = [row["step"] for row in rows if row["state"] == "done"]
    names = ["chip", "agent", "settings", "link", "files", "key", "attest"]
    assert steps == ["detect", *names, "run"]
    assert [row["step"] for row in rows if row["state"] == "begin"] == steps


def test_a_journal_line_cut_off_by_a_power_failure_is_passed_by(line: Line) -> None:
    line.journal.write(PORT, "00", "seal", "begin")
    with line.journal.path.open("a") as file:
        file.write('{"at": 1, "port": "/dev/tty')
    said = line.journal.last(PORT)
    assert said
    assert said["step"] == "seal"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["--class", "consumer"], "needs --market", id="class-without-market"),
        pytest.param(["--placed", "2026-03-02"], "needs --market", id="date-without-market"),
        pytest.param(["--own-use", "--market", "eu"], "do not go together", id="sold-and-own"),
        pytest.param(["--port", "b", "--name", "x"], "with each board", id="one-name-for-two"),
    ],
)
def test_orders_that_contradict_themselves_are_refused(
    tmp_path: Path, words: list[str], says: str
) -> None:
    make_home(tmp_path)
    Store.open(f"sqlite:///{tmp_path}/troth.db", create=True).close()
    words = ["--home", str(tmp_path), "provision", "--port", "a", *words]
    done = CliRunner().invoke(root, words)
    assert (done.exit_code, says in done.output) == (2, True)


def test_each_port_ends_in_a_row_of_its_own(tmp_path: Path) -> None:
    make_home(tmp_path)
    Store.open(f"sqlite:///{tmp_path}/troth.db", create=True).close()
    words = ["--home", str(tmp_path), "--json", "provision", "--port", "/no/a", "--port", "/no/b"]
    done = CliRunner().invoke(root, words, standalone_mode=False)
    said = json.loads(done.stdout)
    assert [(row["port"], row["code"]) for row in said["boards"]] == [
        ("/no/a", "port.missing"),
        ("/no/b", "port.missing"),
    ]
    assert done.return_value == 6


def test_a_fuse_key_is_registered_by_its_id_alone(line: Line) -> None:
    board = fused(line)
    done = line.run(board)
    (key,) = line.store.keys(done["device"])
    assert (key.kid, key.algorithm, key.public_key, key.origin) == (
        board.device.key_id, 5, None, "efuse",
    )  # fmt: skip
    assert done["profile"] == "P1"
    assert done["key"] == board.device.key_id.hex()
    assert line.store.latest_evidence(done["device"])
    assert line.run(board)["device"] == done["device"]
    secret = forge.MacDevice(master=line.master).secret
    kept = b"".join(path.read_bytes() for path in Path(line.home).glob("troth.db*"))
    assert done["device"].encode() in kept
    for part in (secret, line.master):
        assert part not in kept
        assert part.hex().encode() not in kept


def test_a_fuse_burned_under_another_master_leaves_nothing_behind(line: Line) -> None:
    stranger = forge.MacDevice(master=forge.MASTER)
    board = fused(line, kid=stranger.key_id.hex())
    board.device = stranger
    assert code_of(line, board) == "key.mismatch"
    assert line.store.devices() == ()


def test_the_right_key_id_without_the_key_leaves_nothing_behind(line: Line) -> None:
    board = fused(line)
    board.device = forge.MacDevice(master=forge.MASTER)  # names the id, cannot make the tag
    assert code_of(line, board) == "key.unknown"
    assert line.store.devices() == ()


ANSWERS = {
    "a MAC key that is no fuse": {"key_origin": "nvs"},
    "an algorithm that nobody speaks": {"alg": 7},
    "a place that nobody knows": {"key_origin": "drawer"},
    "no key id": {"kid": None},
    "half a key id": {"kid": "00112233"},
}


@pytest.mark.parametrize("said", ANSWERS.values(), ids=list(ANSWERS))
def test_a_key_of_no_known_kind_is_refused(line: Line, said: dict[str, Any]) -> None:
    assert code_of(line, fused(line, **said)) == "board.answer"
    assert line.store.devices() == ()


def test_a_secure_element_makes_a_stock_board_p1(line: Line) -> None:
    board = stock()
    board.key = {"alg": -7, "kid": board.device.key_id.hex(), "key_origin": "secure-element"}
    done = line.run(board, replace(ORDER, profile=Profile.P1))
    (key,) = line.store.keys(done["device"])
    assert (done["profile"], key.origin, key.algorithm) == ("P1", "secure-element", -7)


def test_p1_asked_of_a_software_key_is_refused(line: Line) -> None:
    assert code_of(line, stock(), replace(ORDER, profile=Profile.P1)) == "board.profile"


SEAL = replace(ORDER, seal=True)
STRANGE = {
    "firmware": {"app_digest": forge.digest_of("app of nobody")},
    "files": {"code_digest": forge.digest_of("code of nobody")},
}


@pytest.mark.parametrize("strange", STRANGE.values(), ids=list(STRANGE))
def test_what_was_not_released_is_not_sealed_unless_told_to(
    line: Line, strange: dict[str, Any]
) -> None:
    board = hardened()
    line.store.add_release(house.release(board.device), b"record", at=house.NOW)
    board.device.said |= strange
    assert code_of(line, board, SEAL) == "board.not-released"
    assert not board.sealed
    assert line.store.devices() == ()
    line.run(board, replace(SEAL, seal_anyway=True))
    assert board.sealed


def test_a_released_board_is_sealed_whatever_else_it_falls_short_of(line: Line) -> None:
    board = hardened()
    line.store.add_release(house.release(board.device), b"record", at=house.NOW)
    board.device.said |= {"jtag": "enabled", "webrepl_on": True}  # the maker's own faults
    done = line.run(board, SEAL)
    assert board.sealed
    assert "surface.no-webrepl" in done["failing"]


def test_a_strange_board_that_stays_open_is_enrolled_as_what_it_is(line: Line) -> None:
    board = hardened()
    line.store.add_release(house.release(board.device), b"record", at=house.NOW)
    board.device.said |= STRANGE["files"]
    assert "boot.files-known" in line.run(board)["failing"]
