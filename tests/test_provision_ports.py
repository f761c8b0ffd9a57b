"""Serial ports that do not give a board: missing, held, silent, or gone in the middle."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from troth.factory.serial import Board, quiet
from troth.trouble import Trouble

HOLD = "import fcntl,sys,time; f=open(sys.argv[1]); fcntl.flock(f,2); print(1,flush=True); input()"


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """Our end of a line, and the name of the other."""
    ours, theirs = pty.openpty()
    yield ours, os.ttyname(theirs)
    for end in (ours, theirs):
        try:
            os.close(end)
        except OSError:
            continue


def refused(port: str) -> Trouble:
    with quiet(), pytest.raises(Trouble) as caught:
        Board.open(port, restart=True, tries=1, wait_s=0.3)
    return caught.value


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    assert refused(f"{tmp_path}/ttyUSB9").code == "port.missing"


def test_what_is_no_serial_port_is_not_called_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refused("/dev/null").code == "port.kind"
    assert refused(str(tmp_path / "file")).code == "port.kind"
    assert refused(str(tmp_path)).code == "port.kind"


def test_a_port_that_another_program_holds_is_told_with_its_pid(line: tuple[int, str]) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, line[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        said = refused(line[1])
    finally:
        holder.communicate(b"\n")
    assert said.code == "port.busy"
    assert f"(pid {holder.pid})" in said.why


def test_a_port_where_nobody_answers(line: tuple[int, str]) -> None:
    assert refused(line[1]).code == "port.no-repl"


def test_a_link_to_a_port_is_as_good_as_the_port(line: tuple[int, str], tmp_path: Path) -> None:
    (tmp_path / "board").symlink_to(line[1])
    assert refused(f"{tmp_path}/board").code == "port.no-repl"


def _speak(ours: int, said: bytes, answers: list[bytes]) -> None:
    """A board of few words: one answer each time these bytes come."""
    heard = b""
    while answers:
        heard += os.read(ours, 100)
        if said in heard:
            heard = b""
            os.write(ours, answers.pop(0))


def test_a_board_that_goes_away_in_the_middle(line: tuple[int, str]) -> None:
    prompt = b"raw REPL; CTRL-B to exit\r\n>"
    talk = threading.Thread(target=_speak, args=(line[0], b"\x01", [prompt]))
    talk.start()
    with quiet():
        board = Board.open(line[1], restart=False, tries=1, wait_s=3)
        talk.join()
        os.close(line[0])
        with pytest.raises(Trouble) as caught:
            board.ask("print('troth: {}')")
        board.close()
    assert caught.value.code == "board.unplugged"


def _scripted(line: tuple[int, str], output: bytes) -> Trouble | dict[str, object]:
    """What the host makes of a board whose code printed this."""
    prompt = b"raw REPL; CTRL-B to exit\r\n>"

    def board() -> None:
        _speak(line[0], b"\x01", [prompt, b"R\x00"])
        _speak(line[0], b"\x04", [b"OK" + output])

    talk = threading.Thread(target=board)
    talk.start()
    try:
        with quiet(), Board.open(line[1], restart=False, tries=1, wait_s=3) as opened:
            return opened.ask("print(1)")
    except Trouble as trouble:
        return trouble
    finally:
        talk.join()


def test_what_else_a_board_prints_is_passed_by(line: tuple[int, str]) -> None:
    said = _scripted(line, b'hello\r\ntroth: {"a": 1}\r\n\x04\x04>')
    assert said == {"a": 1}


@pytest.mark.parametrize(
    ("output", "code"),
    [
        pytest.param(
            b"\x04Traceback\r\nImportError: no module\r\n\x04>", "agent.missing", id="none"
        ),
        pytest.param(b"\x04Traceback\r\nMemoryError: \r\n\x04>", "board.memory", id="memory"),
        pytest.param(b"\x04Traceback\r\nValueError: x\r\n\x04>", "board.exec", id="raises"),
        pytest.param(b"\x04\x04>", "board.answer", id="says-nothing"),
        pytest.param(b"troth: {oops\r\n\x04\x04>", "board.answer", id="no-json"),
        pytest.param(b"troth: [1]\r\n\x04\x04>", "board.answer", id="no-object"),
        pytest.param(
            b'troth: {"error": "key.missing", "text": "no key"}\r\n\x04\x04>',
            "agent.key.missing",
            id="agent-refuses",
        ),
    ],
)
def test_every_answer_is_an_object_or_trouble(
    line: tuple[int, str], output: bytes, code: str
) -> None:
    said = _scripted(line, output)
    assert isinstance(said, Trouble)
    assert said.code == code


def test_a_refusal_of_the_agent_comes_with_the_remedy_of_its_own_code(
    line: tuple[int, str],
) -> None:
    said = _scripted(line, b'troth: {"error": "signer.absent", "text": "x"}\r\n\x04\x04>')
    assert isinstance(said, Trouble)
    assert said.fix == "choose another signer, or another chip; look at SDA and SCL"
