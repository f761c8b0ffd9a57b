"""The agent at the end of a serial line: one line a call, the words of it, and the API below."""

import base64
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest

import agent_support
import troth_agent
from agent_support import MAC, FakeBoard, plug_in
from troth_agent import Trouble, identity, settings
from troth_agent.keys import soft
from troth_agent.link import serial

MAKER = {
    "oemid": "0a1b2c",
    "hwmodel": "therm-v2",
    "swname": "thermostat",
    "swversion": "1.4.0",
    "interval_s": 4,
}


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBoard]:
    """A stock board whose file system is `tmp_path`."""
    (tmp_path / "troth.json").write_text(json.dumps(MAKER))
    (tmp_path / "main.py").write_text("import troth_agent\n")

    def board_here() -> Any:
        from troth_agent import board

        return board.Board(settings.read(str(tmp_path)), str(tmp_path))

    monkeypatch.setattr(troth_agent, "_board", board_here)
    return plug_in(FakeBoard())


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out = capsys.readouterr().out
    assert out.startswith("troth: ")
    assert out.count("\n") == 1
    answer: dict[str, Any] = json.loads(out.removeprefix("troth: "))
    return answer


def test_a_new_board_says_who_it_is(fake: FakeBoard, capsys: pytest.CaptureFixture[str]) -> None:
    serial.identify()
    assert said(capsys) == {
        "chip": "esp32c3",
        "mac": MAC.hex(),
        "version": troth_agent.VERSION,
        "build": "P0",
        "frozen": False,
        "sealed": False,
        "key": None,
        "key_origin": "nvs",
        "alg": None,
        "kid": None,
    }


def test_enrolment_makes_one_key_and_keeps_it(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    serial.enroll()
    first = said(capsys)
    assert set(first) == {"public_key", "fuses", "chip", "mac", "key_origin", "alg", "kid"}
    assert len(first["public_key"]) == 128
    assert first["key_origin"] == "nvs"
    serial.enroll()
    assert said(capsys) == first
    serial.identify()
    assert said(capsys)["key"] == first["public_key"]


def test_the_private_key_shows_nowhere(fake: FakeBoard, capsys: pytest.CaptureFixture[str]) -> None:
    serial.enroll()
    serial.identify()
    serial.answer("00" * 32)
    private = fake.nvs["troth", "key"][:32]
    out = capsys.readouterr().out
    for form in (private.hex(), base64.b64encode(private).decode()[:40], repr(private)):
        assert form not in out
    evidence = base64.b64decode(json.loads(out.splitlines()[-1][7:])["evidence"])
    assert private not in evidence


def test_an_answer_is_a_bundle_for_that_nonce(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    troth_agent.enroll()
    serial.answer("ab" * 32)
    bundle = cbor2.loads(base64.b64decode(said(capsys)["evidence"]))
    assert bundle.tag == 602
    token = cbor2.loads(cbor2.loads(bundle.value[0]).value.value[2])
    assert token[10] == b"\xab" * 32
    serial.answer("ab" * 32, bundle=False)
    assert cbor2.loads(base64.b64decode(said(capsys)["evidence"])).tag == 18


@pytest.mark.parametrize(
    ("nonce", "code"),
    [("", "nonce.size"), ("00" * 31, "nonce.size"), ("zz", "nonce.hex"), (7, "nonce.hex")],
)
def test_a_bad_nonce_is_refused_by_code(
    nonce: Any, code: str, fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    troth_agent.enroll()
    serial.answer(nonce)
    assert said(capsys)["error"] == code


def test_a_board_without_key_or_settings_says_what_is_missing(
    fake: FakeBoard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serial.answer("00" * 32)
    assert said(capsys)["error"] == "key.missing"
    (tmp_path / "troth.json").unlink()
    serial.answer("00" * 32)
    assert said(capsys)["error"] == "settings.missing"


def test_a_key_that_nvs_damaged_is_not_used_and_not_replaced(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.nvs["troth", "key"] = b"half"
    serial.enroll()
    assert said(capsys)["error"] == "key.damaged"
    assert fake.nvs["troth", "key"] == b"half"


def test_a_key_that_fails_its_own_test_is_never_kept(
    fake: FakeBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    from troth_agent.keys import birth

    monkeypatch.setattr(birth, "public_key", lambda private: bytes(64))
    with pytest.raises(Trouble) as trouble:
        soft.create()
    assert trouble.value.code == "key.test"
    assert not fake.nvs


def test_an_image_of_an_unknown_chip_is_told(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.app.data = b"\xff" * 0x20000
    serial.identify()
    assert said(capsys)["error"] == "image.unknown"


def test_a_server_that_cannot_be_reached_is_no_fault_of_the_board(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(board: object) -> None:
        raise ConnectionRefusedError(111, "refused")

    monkeypatch.setattr(troth_agent, "_board", lambda: types.SimpleNamespace(ca=bytes, settings={}))
    monkeypatch.setattr("troth_agent.link.connection.trust", refused)
    serial.reach()
    assert said(capsys) == {"error": "link.io", "text": "errno 111"}


def test_a_stock_build_cannot_be_sealed(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    serial.seal()
    assert said(capsys)["error"] == "seal.stock"
    with pytest.raises(ValueError, match="stock"):
        troth_agent.seal()
    assert not fake.nvs
    assert fake.resets == 0


def test_a_hardened_build_seals_says_so_and_restarts(
    fake: FakeBoard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "hardened", lambda: True)
    monkeypatch.setitem(sys.modules, "troth_build", types.ModuleType("troth_build"))
    serial.seal()
    assert said(capsys) == {"sealed": True}
    assert fake.resets == 1
    assert identity.sealed()


def test_the_install_list_names_every_module_and_the_version() -> None:
    listed = json.loads((agent_support.AGENT / "package.json").read_text())
    tree = agent_support.AGENT.glob("troth_agent/**/*.py")
    names = {path.relative_to(agent_support.AGENT).with_suffix(".mpy").as_posix() for path in tree}
    assert {name: f"bytecode/{name}" for name in names} == dict(listed["urls"])
    assert listed["version"] == troth_agent.VERSION


def test_the_bytecode_in_the_tree_is_that_of_the_sources_beside_it() -> None:
    script = agent_support.AGENT / "package.py"
    subprocess.run([sys.executable, str(script), "--check"], check=True)


def test_the_agent_imports_nothing_but_micropython_and_itself() -> None:
    own = {"troth_agent", "troth_build"}
    micropython = {"asyncio", "binascii", "errno", "gc", "hashlib", "json", "os", "select"}
    micropython |= {"socket", "sys", "time", "tls"}
    micropython |= {"bluetooth", "esp", "esp32", "machine", "micropython", "network"}
    for path in agent_support.AGENT.glob("troth_agent/**/*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] == ["import"] or (words[:1] == ["from"] and words[2:3] == ["import"]):
                name = words[1].split(".")[0]
                assert not name or name in own | micropython, (path, line)
