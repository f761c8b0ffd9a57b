"""The boards of `troth emu`: identity, limits, errors, and nothing of the host in sight."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from emulated import EMULATOR, Stage, boards, own_env
from forked import run

pytestmark = pytest.mark.vm

SCENARIO = """
[[board]]
name = "plain"
chip = "esp32"
profile = "P0"
serial = 7

[[board]]
name = "hard"
chip = "esp32c3"
profile = "P2"

[[board]]
name = "open"
chip = "esp32s3"
profile = "P2"
fault = "debug-open"
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with boards(tmp_path_factory.mktemp("emulator"), scenario=SCENARIO) as running:
        yield running


def test_the_list_is_the_same_from_any_directory(stage: Stage, tmp_path: Path) -> None:
    said = run(EMULATOR, "list", "--json", env=stage.env, cwd=tmp_path)
    document = json.loads(said.out)
    assert document["schema"] == "troth/emu/1"
    assert {row["name"]: (row["chip"], row["profile"]) for row in document["boards"]} == {
        "plain": ("esp32", "P0"),
        "hard": ("esp32c3", "P2"),
        "open": ("esp32s3", "P2"),
    }
    assert set(document["boards"][0]) == {"name", "chip", "profile", "port", "state", "fault"}


def test_a_board_has_the_heap_of_its_chip(stage: Stage) -> None:
    said = stage.python(
        "plain",
        "import esp, esp32, gc, hashlib, json, machine, network, os, socket, time, tls\n"
        "esp32.Partition(esp32.Partition.RUNNING).info()\n"
        "network.WLAN(network.WLAN.IF_STA).isconnected()\n"
        "gc.collect(); print(gc.mem_free())",
    )
    assert 105_000 < int(said) < 125_000
    code = "try:\n x = [bytes(1000) for _ in range(200)]\nexcept MemoryError: print('full')"
    assert stage.python("plain", code).strip() == "full"


def test_garbage_is_collected(stage: Stage) -> None:
    code = "for _ in range(10000): bytearray(1000)\nprint('lives')"
    assert stage.python("plain", code).strip() == "lives"


def test_no_path_of_the_host_shows(stage: Stage) -> None:
    code = (
        "import os, sys, vfs\n"
        "print(os.listdir('/'), os.getcwd(), sys.path, [p for _, p in vfs.mount()])\n"
        "print(hasattr(os, 'getenv'), hasattr(vfs, 'VfsPosix'), hasattr(sys, 'executable'))\n"
        "for path in ('/home', '/.frozen', '/tmp'):\n"
        "    try: print(os.stat(path))\n"
        "    except OSError as err: print(err.errno)\n"
    )
    seen, hidden, *errors = stage.python("plain", code).splitlines()
    assert seen == "['boot.py'] / ['', '/.frozen', '.frozen', '/lib'] ['/']"
    assert hidden == "False False False"
    assert errors == ["2", "2", "2"]


def test_the_doors_of_the_unix_port_are_shut(stage: Stage) -> None:
    code = "import ffi, termios\nprint(hasattr(ffi, 'open'), hasattr(termios, 'tcgetattr'))"
    assert stage.python("plain", code) == "False False\n"


def test_the_board_says_which_chip_it_is(stage: Stage) -> None:
    code = (
        "import os, sys, machine, esp32\n"
        "head = bytearray(16); esp32.Partition(esp32.Partition.RUNNING).readblocks(0, head)\n"
        "print(sys.platform, os.uname().machine, machine.unique_id().hex(), head[12])"
    )
    assert stage.python("plain", code).strip() == (
        "esp32 Generic ESP32 module with ESP32 3c71bf000007 0"
    )


def test_only_the_hardened_build_carries_the_agent(stage: Stage) -> None:
    code = (
        "try:\n    import troth_build, troth_agent; print(troth_build.PROFILE)\n"
        "except ImportError: print('none')"
    )
    assert stage.python("hard", code).strip() == "P2"
    assert stage.python("plain", code).strip() == "none"


PARTITIONS = (
    "import esp32\n"
    "for kind in (0, 1):\n"
    "    for p in esp32.Partition.find(kind): print(p.info()[4], p.info()[5])"
)


def test_partitions_of_both_layouts(stage: Stage) -> None:
    assert stage.python("plain", PARTITIONS).split("\n")[:-1] == [
        "factory False",
        "nvs False",
        "phy_init False",
        "vfs False",
    ]
    hard = stage.python("hard", PARTITIONS)
    assert "ota_0 True\nota_1 True\n" in hard
    assert "vfs True\n" in hard


def test_flash_reads_plain_on_stock_and_noise_under_encryption(stage: Stage) -> None:
    code = "import esp\nb = bytearray(16); esp.flash_read({}, b); print(b.hex())"
    assert stage.python("plain", code.format(0x1000)).startswith("e901")
    assert stage.python("plain", code.format(0x8000)).startswith("aa50")
    assert not stage.python("hard", code.format(0)).startswith("e9")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("esp32.NVS('n').get_i32('x')", "OSError(-4354, 'ESP_ERR_NVS_NOT_FOUND')"),
        ("esp32.NVS('n').erase_key('x')", "OSError(-4354, 'ESP_ERR_NVS_NOT_FOUND')"),
        ("esp32.NVS('n').set_i32('k' * 16, 1)", "OSError(-4361, 'ESP_ERR_NVS_KEY_TOO_LONG')"),
        ("esp32.NVS('')", "OSError(-4358, 'ESP_ERR_NVS_INVALID_NAME')"),
        (
            "n = esp32.NVS('n'); n.set_blob('b', b'four'); n.get_blob('b', bytearray(3))",
            "OSError(-4364, 'ESP_ERR_NVS_INVALID_LENGTH')",
        ),
        (
            "n = esp32.NVS('n'); n.set_blob('b', b'four'); n.get_i32('b')",
            "OSError(-4355, 'ESP_ERR_NVS_TYPE_MISMATCH')",
        ),
        ("esp32.Partition('nix')", "OSError(-261, 'ESP_ERR_NOT_FOUND')"),
        ("esp32.Partition(1).get_next_update()", "OSError(-261, 'ESP_ERR_NOT_FOUND')"),
        ("network.WLAN(0).config('security')", "OSError('AP required',)"),
        ("network.WLAN(2)", "ValueError('invalid WLAN interface identifier',)"),
        ("machine.WDT(timeout=0)", "ValueError('WDT timeout too short',)"),
        ("machine.Pin(99)", "ValueError('invalid pin',)"),
    ],
)
def test_errors_are_those_of_the_port(stage: Stage, code: str, said: str) -> None:
    text = (
        f"import esp32, machine, network\ntry:\n    {code}\nexcept Exception as err: "
        "print(repr(err))"
    )
    got = stage.python("plain", text).strip().replace("',)", "')")
    assert got == said.replace("',)", "')")


def test_nvs_keeps_what_was_committed_and_only_that(stage: Stage) -> None:
    stage.python(
        "plain",
        "import esp32\nn = esp32.NVS('keep')\nn.set_i32('a', -5); n.set_blob('b', b'\\0\\xff')\n"
        "n.commit(); n.set_i32('lost', 1)",
    )
    code = (
        "import esp32\nn = esp32.NVS('keep'); b = bytearray(4)\n"
        "print(n.get_i32('a'), n.get_blob('b', b), b)\n"
        "try: n.get_i32('lost')\nexcept OSError as err: print(err.errno)"
    )
    assert stage.python("plain", code).splitlines() == [
        "-5 2 bytearray(b'\\x00\\xff\\x00\\x00')",
        "-4354",
    ]


FUSES = "import machine\nprint(machine.mem32[{}], machine.mem8[{}])"


def test_mem32_reads_the_fuses(stage: Stage) -> None:
    hard = stage.python("hard", FUSES.format(0x60008834, 0x60008836)).split()
    assert int(hard[0]) >> 18 & 7 == 7
    assert int(hard[1]) == int(hard[0]) >> 16 & 0xFF


def test_an_address_that_is_no_register_ends_in_a_reset(stage: Stage) -> None:
    stage.mpremote("plain", "exec", "--no-follow", "import machine; machine.mem32[0x1000]")
    wait_for(stage, "plain", "import machine; print(machine.reset_cause())", "2")


def test_a_watchdog_that_is_not_fed_resets_the_board(stage: Stage) -> None:
    code = "import machine; machine.WDT(timeout=100)\nwhile True: pass"
    stage.mpremote("plain", "exec", "--no-follow", code)
    wait_for(stage, "plain", "import machine; print(machine.reset_cause())", "3")


def wait_for(stage: Stage, name: str, code: str, wanted: str) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        said = stage.mpremote(name, "resume", "exec", code)
        if said.code == 0 and said.out.strip() == wanted:
            return
        time.sleep(0.05)
    pytest.fail(f"{name} never said {wanted}")


def test_a_factory_fault_is_in_the_silicon(stage: Stage) -> None:
    code = "import machine\nprint(machine.mem32[{}] >> 19 & 1)"
    assert stage.python("open", code.format(0x60007030)).strip() == "0"
    assert stage.python("hard", code.format(0x60008830)).strip() == "1"


def test_the_radio_does_as_it_is_told(stage: Stage) -> None:
    code = (
        "import network\nw = network.WLAN(network.WLAN.IF_STA)\n"
        "print(w.isconnected()); w.active(True); w.connect('home', 'password')\n"
        "print(w.isconnected(), w.config('ssid'), w.scan()[0][4])\n"
        "a = network.WLAN(network.WLAN.IF_AP); a.active(True)\n"
        "a.config(ssid='x', key='password', security=3); print(a.config('security'))"
    )
    assert stage.python("plain", code).splitlines() == ["False", "True home 3", "3"]


def test_webrepl_listens_once_it_has_a_password(stage: Stage) -> None:
    code = (
        "import webrepl\nwebrepl.start(); print(webrepl.listen_s)\n"
        "webrepl.start(password='secret'); print(webrepl.listen_s is not None)\n"
        "webrepl.stop(); print(webrepl.listen_s)"
    )
    lines = stage.python("plain", code).splitlines()
    assert [line for line in lines if "WebREPL" not in line] == ["None", "True", "None"]


def test_a_sealed_board_offers_no_prompt(tmp_path: Path) -> None:
    with boards(tmp_path, "--name", "shut", "--profile", "P2") as own:
        seal = (
            "import esp32, machine\nn = esp32.NVS('troth'); n.set_i32('sealed', 1); n.commit()\n"
            "machine.reset()"
        )
        own.mpremote("shut", "exec", "--no-follow", seal)
        until = time.monotonic() + 5
        while time.monotonic() < until and "sealed" not in own.emu("list", "--json").out:
            time.sleep(0.05)
        with open(own.port("shut"), "r+b", buffering=0) as port:
            port.write(b"\r\x03\x03\r\x01print(1)\x04")
            time.sleep(0.3)
            import os

            os.set_blocking(port.fileno(), False)
            heard = port.read() or b""
        assert b">" not in heard
        assert b"raw REPL" not in heard
        (row,) = json.loads(own.emu("list", "--json").out)["boards"]
        silent = SerialTransport(row["port"])  # at the pty's own name mpremote would wait for ever
        with pytest.raises(TransportError, match="could not enter raw repl"):
            silent.enter_raw_repl(timeout_overall=0.5)
        silent.close()


UPDATE = """
import esp32
running = esp32.Partition(esp32.Partition.RUNNING)
other = running.get_next_update()
block = bytearray(4096)
for n in range(SIZE // 4096):
    running.readblocks(n, block)
    other.writeblocks(n, block)
other.set_boot()
print(esp32.Partition(esp32.Partition.BOOT).info()[4])
"""
SAY = "import esp32; print(esp32.Partition(esp32.Partition.RUNNING).info()[4])"
KEEP = "import esp32; esp32.Partition.mark_app_valid_cancel_rollback()"


def test_an_update_starts_after_a_reset_and_is_taken_back_unless_it_proves_itself(
    tmp_path: Path,
) -> None:
    with boards(tmp_path, "--name", "two", "--profile", "P2") as own:
        size = (own.folder / "two" / "app.bin").stat().st_size

        def after_a_reset(*code: str) -> str:
            own.mpremote("two", "exec", "--no-follow", "import machine; machine.reset()")
            return own.python("two", "\n".join((*code, SAY))).strip()

        assert own.python("two", UPDATE.replace("SIZE", str(size))).strip() == "ota_1"
        assert own.python("two", SAY).strip() == "ota_0", "until the next start"
        assert after_a_reset() == "ota_1"
        assert after_a_reset() == "ota_0", "nobody said that it works"
        own.python("two", UPDATE.replace("SIZE", str(size)))
        assert after_a_reset(KEEP) == "ota_1"
        assert after_a_reset() == "ota_1"
        (own.folder / "two" / "ota_1.bin").write_bytes(b"\xe9 and nothing else")
        assert after_a_reset() == "ota_0", "what does not verify does not start"


def test_a_state_dir_brings_the_same_board_back(tmp_path: Path) -> None:
    identity = "import machine, os\nprint(machine.unique_id(), os.listdir('/'))"
    seen = []
    image = tmp_path / "next.bin"
    made = ("image", "--chip", "esp32c3", "--version", "2.0.0", "-o", str(image))
    assert run(EMULATOR, *made, env=own_env(tmp_path)).code == 0
    for words in ((), ("--app", str(image))):
        with boards(tmp_path, "--name", "again", *words) as own:
            own.python("again", "with open('/kept.txt', 'w') as f: f.write('x')")
            seen.append(own.python("again", identity))
    assert seen[0] == seen[1]
    assert "kept.txt" in seen[1]
    assert (tmp_path / "boards" / "again" / "app.bin").read_bytes() == image.read_bytes()
    argv = ("run", "--name", "again", "--chip", "esp32", "--state-dir", str(tmp_path / "boards"))
    said = run(EMULATOR, *argv, env=own_env(tmp_path))
    assert said.code == 2
    assert said.err.startswith("error[board.other] ")


def test_your_own_files_run(tmp_path: Path) -> None:
    (tmp_path / "mine" / "lib").mkdir(parents=True)
    (tmp_path / "mine" / "main.py").write_text("import helper\nhelper.mark()\n")
    mark = "def mark():\n    with open('/ran', 'w') as f: f.write('yes')\n"
    (tmp_path / "mine" / "lib" / "helper.py").write_text(mark)
    with boards(tmp_path, "--name", "own", "--files", str(tmp_path / "mine")) as own:
        assert own.python("own", "print(open('/ran').read())").strip() == "yes"


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("run", "--app", "/no/such.bin"), "app.missing", 2),
        (("run", "--files", "/no/such"), "files.missing", 2),
        (("run", "--name", "A B"), "board.name", 2),
        (("run", "--name", "plain"), "board.exists", 2),
        (("run", "--fault", "gravity"), "fault.unknown", 2),
        (("run", "--fault", "debug-open"), "fault.profile", 2),
        (("run", "-n", "0"), "usage.count", 2),
        (("run", "--scenario", "/no/such.toml"), "scenario.unreadable", 2),
        (("run", "--state-dir", "/dev/null"), "emu.file", 6),
        (("image", "--chip", "esp32", "--version", "", "-o", "x"), "image.word", 2),
        (("image", "--chip", "esp32", "--version", "9" * 32, "-o", "x"), "image.word", 2),
        (("fault", "nobody", "silent"), "board.unknown", 6),
        (("fault", "hard", "gravity"), "fault.unknown", 2),
        (("fault", "hard", "debug-open"), "fault.factory", 6),
        (("fault", "hard", "impostor"), "fault.alone", 6),
        (("stop", "nobody"), "board.unknown", 6),
    ],
)
def test_mistakes_have_a_code_and_a_remedy(
    stage: Stage, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    said = stage.emu(*words)
    assert said.code == exit_code
    assert said.err.startswith(f"error[{code}] ")
    assert "\n  fix:  " in said.err
    assert said.out == ""
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--chip", "esp99"), "usage"), (("--name", "Not A Name"), "board.name")],
    ids=["usage", "trouble"],
)
def test_a_mistake_is_a_document_too_when_json_is_asked(
    tmp_path: Path, words: tuple[str, ...], code: str
) -> None:
    said = run(EMULATOR, "run", *words, "--json", env=own_env(tmp_path))
    document = json.loads(said.out)
    assert (document["schema"], document["code"]) == ("troth/error/1", code)
    assert document["exit"] == said.code == 2
    assert document["what"] in said.err


@pytest.mark.parametrize(
    "text",
    ["board = []", "board = [1]", "[[board]]", "[[board]]\nname = 1", '[[board]]\nspeed = "x"'],
    ids=["none", "a-number", "nameless", "name-is-a-number", "unknown-key"],
)
def test_a_scenario_of_no_boards_is_refused(tmp_path: Path, text: str) -> None:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(text)
    said = run(EMULATOR, "run", "--scenario", str(scenario), env=own_env(tmp_path))
    assert said.code == 2
    assert said.err.startswith("error[scenario.")
    assert str(scenario) in said.err
    assert "fix:" in said.err


def test_an_image_for_another_chip_is_refused_at_once(stage: Stage, tmp_path: Path) -> None:
    app = tmp_path / "app.bin"
    said = stage.emu("image", "--chip", "esp32s3", "--version", "1", "-o", str(app))
    assert said.code == 0
    said = stage.emu("run", "--chip", "esp32", "--name", "odd", "--app", str(app))
    assert said.code == 6
    assert said.err.startswith("error[app.refused] odd: image is for chip id 9")


def test_stop_ends_the_run_and_leaves_nothing(tmp_path: Path) -> None:
    env = own_env(tmp_path)
    argv = (sys.executable, EMULATOR, "run", "-n", "2", "--json")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, text=True)
    assert process.stdout is not None
    rows = json.loads(process.stdout.readline())["boards"]
    assert [row["name"] for row in rows] == ["esp32c3-1", "esp32c3-2"]
    assert run(EMULATOR, "stop", env=env).code == 0
    assert process.wait(10) == 0
    assert json.loads(run(EMULATOR, "list", "--json", env=env).out)["boards"] == []


def test_what_a_killed_emulator_leaves_is_swept_away(tmp_path: Path) -> None:
    env = own_env(tmp_path)
    argv = (sys.executable, EMULATOR, "run", "--json")
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, text=True) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["boards"]
        (folders,) = [link.resolve() for link in (tmp_path / "run/troth-emu").glob("*.boards")]
        process.kill()
    assert json.loads(run(EMULATOR, "list", "--json", env=env).out)["boards"] == []
    assert not list((tmp_path / "run" / "troth-emu").iterdir())
    assert not folders.exists()
