"""The real, unmodified mpremote drives an emulated board as it drives any other."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulated import Stage, boards

pytestmark = pytest.mark.vm
NAME = "mpr"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with boards(tmp_path_factory.mktemp("mpremote"), "--name", NAME) as running:
        yield running


def do(stage: Stage, *words: str) -> str:
    said = stage.mpremote(NAME, *words)
    assert said.code == 0, said
    return said.out


def test_exec_prints_what_the_board_prints(stage: Stage) -> None:
    assert do(stage, "exec", "print(6 * 7)").strip() == "42"


def test_an_error_on_the_board_is_an_error_code_and_a_traceback(stage: Stage) -> None:
    said = stage.mpremote(NAME, "exec", "1 / 0")
    assert said.code == 1
    assert "ZeroDivisionError" in said.out + said.err
    assert "_shim" not in said.out + said.err


def test_run_sends_a_script_of_several_paste_windows(stage: Stage, tmp_path: Path) -> None:
    script = tmp_path / "long.py"
    script.write_text("".join(f"x{i} = {i}\n" for i in range(400)) + "print(x399)\n")
    assert do(stage, "run", str(script)).strip() == "399"


def test_eval(stage: Stage) -> None:
    assert do(stage, "eval", "1 + 3").strip() == "4"


def test_files_travel_both_ways_unchanged(stage: Stage, tmp_path: Path) -> None:
    there = tmp_path / "there.bin"
    there.write_bytes(bytes(range(256)) * 80)
    do(stage, "fs", "cp", str(there), ":random.bin")
    assert hashlib.sha256(there.read_bytes()).hexdigest() in do(stage, "sha256sum", ":random.bin")
    back = tmp_path / "back.bin"
    do(stage, "fs", "cp", ":random.bin", str(back))
    assert back.read_bytes() == there.read_bytes()
    do(stage, "rm", ":random.bin")


def test_trees_travel_both_ways(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "pack" / "sub").mkdir(parents=True)
    (tmp_path / "pack" / "a.txt").write_text("a")
    (tmp_path / "pack" / "sub" / "b.txt").write_text("b")
    do(stage, "fs", "cp", "-r", str(tmp_path / "pack"), ":")
    assert "b.txt" in do(stage, "fs", "tree", ":pack")
    (tmp_path / "out").mkdir()
    do(stage, "fs", "cp", "-r", ":pack", str(tmp_path / "out"))
    assert (tmp_path / "out" / "pack" / "sub" / "b.txt").read_text() == "b"
    do(stage, "fs", "rm", "-r", ":pack")
    assert "pack" not in do(stage, "fs", "ls")


def test_small_file_commands(stage: Stage) -> None:
    do(stage, "mkdir", ":d")
    do(stage, "touch", ":d/empty")
    assert re.search(r"\b0 empty", do(stage, "fs", "ls", ":d"))
    do(stage, "exec", "with open('/d/t', 'w') as f: f.write('words')")
    assert do(stage, "fs", "cat", ":d/t") == "words"
    do(stage, "fs", "rm", "-r", ":d")


def test_the_tree_of_a_new_board_shows_its_flash_and_nothing_of_the_host(stage: Stage) -> None:
    names = re.findall(r"── (.+?)\s*$", do(stage, "tree", "/"), re.M)
    assert names == ["boot.py"]


def test_df_tells_one_disk(stage: Stage) -> None:
    lines = do(stage, "df").splitlines()
    assert len(lines) == 2
    assert lines[1].split()[1] == str(0x200000)
    assert lines[1].split()[-1] == "/"


def test_mip_installs_a_local_package(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "greet.py").write_text("def greet():\n    return 'hello'\n")
    (tmp_path / "package.json").write_text('{"urls": [["greet.py", "greet.py"]], "version": "1"}')
    said = stage.mpremote(NAME, "mip", "install", "./package.json", cwd=tmp_path)
    assert said.code == 0, said
    assert do(stage, "exec", "import greet; print(greet.greet())").strip() == "hello"
    do(stage, "fs", "rm", ":lib/greet.py")


def test_mount_lets_the_board_import_from_the_host(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "near.py").write_text("BIG = '" + "x" * 20000 + "'\n")
    said = do(stage, "mount", str(tmp_path), "exec", "import near; print(len(near.BIG))")
    assert said.split()[-1] == "20000"


def test_soft_reset_forgets_variables_and_resume_keeps_them(stage: Stage) -> None:
    do(stage, "exec", "kept = 5")
    assert do(stage, "resume", "exec", "print(kept)").strip() == "5"
    do(stage, "soft-reset")
    assert stage.mpremote(NAME, "resume", "exec", "print(kept)").code == 1


def test_reset_is_a_hardware_reset(stage: Stage) -> None:
    do(stage, "reset")
    cause = "import machine; print(machine.reset_cause() == machine.HARD_RESET)"
    assert do(stage, "resume", "exec", cause).strip() == "True"
    cause = "import machine; print(machine.reset_cause() == machine.SOFT_RESET)"
    assert do(stage, "exec", cause).strip() == "True"


def test_the_clock_can_be_read_and_set(stage: Stage) -> None:
    do(stage, "rtc", "--set")
    year, month, day, *_ = eval(do(stage, "rtc"))
    assert (year, month, day) == time.localtime()[:3]


@pytest.mark.parametrize("loop", ["while True: pass", "import time\nwhile True: time.sleep(1)"])
def test_ctrl_c_ends_a_running_loop(stage: Stage, loop: str) -> None:
    argv = (
        sys.executable,
        "-m",
        "mpremote",
        "connect",
        stage.port(NAME),
        "exec",
        f"print('on')\n{loop}",
    )
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"on"
    child.send_signal(signal.SIGKILL)  # the terminal is closed while the loop runs
    child.communicate()
    assert do(stage, "resume", "exec", "print('mine again')").strip() == "mine again"


def test_a_main_that_never_ends_leaves_the_board_reachable(stage: Stage) -> None:
    loop = "while True:\\n    print(1)\\n"
    do(stage, "exec", f"with open('main.py', 'w') as f: f.write('{loop}')")
    do(stage, "reset")
    assert do(stage, "exec", "import os; os.remove('main.py'); print('gone')").strip() == "gone"
    do(stage, "reset")
