"""One order of keys, signatures and fuses: planned for nine chips, walked on virtual ones.

`make boards` walks it on all nine (TROTH_BOARDS=all); here one chip does, for espefuse is slow. The
hardened chip is then started, enrolled by what its line burned, heard and judged.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent_support import named
from emulator import bootrom, chips
from forked import espefuse
from line import compliant, release, running, served, troth, wait_for
from troth.bundled import bundled
from troth.cli import root
from troth.core.duties import Outcome
from troth.core.keyring import mac_key_id
from troth.core.verdict import State
from troth.factory import harden as work
from troth.factory.hardening import Chip, Step, chip_ids, images, load_chip, plan
from troth.factory.keys import open_ring
from troth.settings import MASTER
from troth.store import Store
from troth.trouble import Trouble
from troth_agent import efuse

# espefuse takes a second to start and a chip needs some twenty programs: minutes on a busy machine
pytestmark = pytest.mark.timeout(900)
DEMO = bundled("boards") / "emulator" / "demo" / "therm-v2"
CHIPS = chip_ids()
WALKED = CHIPS if os.environ.get("TROTH_BOARDS") == "all" else ["esp32c3"]
BURNING = ["keys", "flash-encryption", "boot-digest", "secure-boot", "lock", "seal"]


def steps_of(chip: str) -> list[Step]:
    said = load_chip(chip)
    return plan(said, images(said))


def harden(chip: str, *words: str, typed: str = "") -> Result:
    argv = ["--json", "board", "harden", "--chip", chip, *words]
    return CliRunner().invoke(root, argv, input=typed)


def refused(done: Result) -> Trouble:
    assert isinstance(done.exception, Trouble), done.output
    return done.exception


# the plan


@pytest.mark.parametrize("chip", CHIPS)
def test_the_order_is_the_one_that_leaves_no_dead_chip(chip: str) -> None:
    steps = steps_of(chip)
    names = [step.name for step in steps]
    burning = [step.name for step in steps if step.marks]
    assert burning == [name for name in BURNING if chip != "esp32c2" or name != "boot-digest"]
    assert names.index("verify-app") < names.index("keys")
    assert names.index("lock") < names.index("encrypt-app") < names.index("flash")
    assert names[-2:] == ["flash", "seal"]


@pytest.mark.parametrize("chip", CHIPS)
def test_what_the_p2_profile_burns_is_in_the_plan_once(chip: str) -> None:
    said = load_chip(chip)
    marks = {mark.field: mark.value for step in steps_of(chip) for mark in step.marks}
    burned = {
        name: bits
        for name, bits in said.burn.items()
        if name not in ("RD_DIS", "WR_DIS", "SECURE_VERSION")
    }
    assert {name: marks.get(name) for name in burned} == burned
    words = [word for step in steps_of(chip) for word in step.words]
    assert all(words.count(name) <= 1 for name in burned)
    assert ("HMAC_UP" in words) == said.hmac


def test_a_dry_run_prints_commands_that_can_be_typed() -> None:
    done = CliRunner().invoke(root, ["board", "harden", "--chip", "esp32c2", "--dry-run"])
    lines = [line for line in done.output.splitlines() if not line.startswith("#")]
    assert lines[0] == ("espsecure generate-signing-key --version 2 --scheme ecdsa256 boot-key.pem")
    assert (
        "espefuse --chip esp32c2 --port PORT --do-not-confirm burn-key"
        " BLOCK_KEY0 flash-key.bin XTS_AES_128_KEY_DERIVED_FROM_128_EFUSE_BITS"
        " BLOCK_KEY0 boot-digest.bin SECURE_BOOT_DIGEST"
    ) in lines
    assert lines[-1].endswith("burn-efuse ENABLE_SECURITY_DOWNLOAD 1")
    assert {line.split()[0] for line in lines} == {"espsecure", "espefuse", "esptool"}


def test_list_and_show_tell_every_chip() -> None:
    done = CliRunner().invoke(root, ["--json", "board", "list"])
    assert [row["chip"] for row in json.loads(done.output)["boards"]] == CHIPS
    done = CliRunner().invoke(root, ["board", "show", "esp32c2"])
    assert "ecdsa256" in done.output
    assert "caveat" in done.output


# a look before each step, on states made by hand


def blank(chip: Chip) -> work.State:
    """What espefuse says of a new chip, as far as the plan asks."""
    state: work.State = {"MAC": {"value": "7c:df:a1:00:00:01 (OK)", "raw_value": "0x0"}}
    for step in plan(chip, images(chip)):
        for mark in step.marks:
            zeros = "0x" + "00" * (chip.digest_bytes if mark.kind in ("secret", "digest") else 1)
            state[mark.field] = {
                **{"value": 0, "raw_value": zeros, "readable": True, "writeable": True}
            }
    return state


def show(target: work.Target, step: Step, state: work.State) -> None:
    """The state after this step."""
    for mark in step.marks:
        fuse = state[mark.field]
        if mark.kind == "holds":
            fuse["raw_value"] = hex(mark.value)
        elif mark.kind == "digest":
            size = target.chip.digest_bytes
            fuse["raw_value"] = "0x" + (target.folder / "boot-digest.bin").read_bytes()[:size].hex()
        fuse["writeable"] = mark.kind == "holds"
        fuse["readable"] = mark.kind != "secret"


@pytest.mark.parametrize("chip", CHIPS)
def test_any_other_order_is_refused(chip: str, tmp_path: Path) -> None:
    target = work.Target(load_chip(chip), tmp_path)
    (tmp_path / "boot-digest.bin").write_bytes(bytes(range(32)))
    steps = steps_of(chip)
    burning = [step for step in steps if step.marks]
    for first in range(len(burning)):
        for second in range(len(burning)):
            state = blank(target.chip)
            for step in burning[:first]:
                show(target, step, state)
            if second == first:
                work.look(target, burning[first], steps, state)  # its turn
            elif second > first:
                with pytest.raises(Trouble, match="out of order") as told:
                    work.look(target, burning[second], steps, state)  # too early
                assert told.value.code == "harden.order"
                show(target, burning[second], state)  # done by hand all the same
                with pytest.raises(Trouble, match="out of order"):
                    work.look(target, burning[first], steps, state)


@pytest.mark.parametrize("chip", CHIPS)
def test_a_used_key_block_is_not_burned_over(chip: str, tmp_path: Path) -> None:
    target = work.Target(load_chip(chip), tmp_path)
    steps = steps_of(chip)
    keys = next(step for step in steps if step.name == "keys")
    state = blank(target.chip)
    fuse = state[keys.marks[0].field]
    fuse["raw_value"] = fuse["raw_value"][:-1] + "1"
    with pytest.raises(Trouble, match="holds something else") as told:
        work.look(target, keys, steps, state)
    assert told.value.code == "harden.used"


def test_a_folder_is_one_chips(tmp_path: Path) -> None:
    target = work.Target(load_chip("esp32c3"), tmp_path)
    steps, state = steps_of("esp32c3"), blank(target.chip)
    work.settle_folder(target, steps, state)
    other = {**state, "MAC": {"value": "7c:df:a1:00:00:02 (OK)"}}
    with pytest.raises(Trouble, match="another chip"):
        work.settle_folder(target, steps, other)
    with pytest.raises(Trouble, match="another chip") as told:
        work.read_state(replace(target, chip=load_chip("esp32s3")))
    assert told.value.why == "an esp32c3, not an esp32s3"
    show(target, next(step for step in steps if step.name == "keys"), state)
    with pytest.raises(Trouble, match="does not hold them"):
        work.settle_folder(replace(target, folder=tmp_path), steps, state)


# a real chip: stand-ins for Espressif's programs, found before them

STAND_IN = """
import json, os, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "log").open("a") as log:
    print(pathlib.Path(__file__).stem, *sys.argv[1:], file=log)
if "summary" in sys.argv:
    pathlib.Path(sys.argv[-1]).write_text((here / "state.json").read_text())
if "sign-data" in sys.argv and (here / "broken").exists():
    sys.exit("the key is of the wrong kind")
for word in sys.argv:
    if word.endswith((".bin", ".pem")) and not os.path.exists(word):
        pathlib.Path(word).write_bytes(bytes(32))
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line with a chip at the port `P` that never changes; `log` holds what was called."""
    for name in ("espefuse", "espsecure", "esptool"):
        (tmp_path / f"{name}.py").write_text(STAND_IN)
    (tmp_path / "state.json").write_text(json.dumps(blank(load_chip("esp32c3"))))
    (tmp_path / "image").write_bytes(b"image")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("TROTH_HOME", str(tmp_path))
    return tmp_path


def at_port(bench: Path, typed: str) -> Result:
    image = str(bench / "image")
    files = [word for name in ("--app", "--bootloader", "--table") for word in (name, image)]
    keys = str(bench / "keys")
    return harden("esp32c3", "--port", "P", "--keys", keys, *files, typed=typed)


@pytest.mark.parametrize("typed", ["", "yes\n"])
def test_nothing_but_the_word_burns_a_real_chip(bench: Path, typed: str) -> None:
    assert refused(at_port(bench, typed)).code == "harden.word"
    log = (bench / "log").read_text()
    assert "verify-signature" in log, "all that can fail without harm comes first"
    assert "burn" not in log
    assert "protect" not in log


def test_the_last_step_is_not_read_back_and_what_a_home_derives_again_does_not_stay(
    bench: Path,
) -> None:
    keys, target = bench / "keys", work.Target(load_chip("esp32c3"), bench / "keys")
    keys.mkdir()
    (keys / "boot-digest.bin").write_bytes(bytes(range(32)))
    (keys / "flash-key.bin").write_bytes(bytes(32))
    (bench / MASTER).parent.mkdir(parents=True)
    (bench / MASTER).write_bytes(bytes(range(32)))
    (bench / MASTER).chmod(0o600)
    state = blank(target.chip)
    for step in steps_of("esp32c3"):
        if step.name != "seal":
            show(target, step, state)
    (bench / "state.json").write_text(json.dumps(state))
    done = at_port(bench, "BURN\n")
    assert done.exception is None, done.output
    said = json.loads((keys / "unit.json").read_text())
    secret = open_ring(bench / MASTER).secret(bytes.fromhex(said["mac"]))
    assert said["key"] == mac_key_id(secret).hex()
    assert not (keys / "hmac-key.bin").exists()
    last = [line for line in (bench / "log").read_text().splitlines() if "summary" not in line][-1]
    assert last.endswith("burn-efuse ENABLE_SECURITY_DOWNLOAD 1")
    assert bytes.fromhex(said["fuses"])[16] >> 5 & 1, "and yet the record has it"


def test_a_chip_that_does_not_show_what_was_burned_stops_the_line(bench: Path) -> None:
    assert refused(at_port(bench, "BURN\n")).code == "harden.readback"
    burned = [line for line in (bench / "log").read_text().splitlines() if " burn-" in line]
    assert len(burned) == 1
    assert burned[0].startswith("espefuse --chip esp32c3 --port P --do-not-confirm burn-key")


def test_a_tool_that_fails_says_why_before_anything_is_burned(bench: Path) -> None:
    (bench / "broken").touch()
    told = refused(at_port(bench, "BURN\n"))
    assert told.code == "harden.tool"
    assert "the key is of the wrong kind" in told.why
    assert " burn-" not in (bench / "log").read_text()


def test_a_real_chip_wants_every_image_and_a_folder_for_its_keys() -> None:
    done = harden("esp32c3", "--port", "P")
    assert done.exit_code == 2
    assert "--bootloader" in done.output
    assert harden("esp32c3").exit_code == 2
    assert harden("esp32c3", "--port", "P", "--yes").exit_code == 2


def test_without_esptool_one_line_tells_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(work, "find_spec", lambda _: None)
    told = refused(harden("esp32c3", "--virtual", str(tmp_path / "v")))
    assert told.code == "harden.tools"
    assert "troth[flash]" in told.fix


# the key of one chip, for a program of the line's own

LOOK = """
import os, pathlib, stat, sys
path = pathlib.Path(sys.argv[1])
print(path, stat.S_IMODE(path.stat().st_mode), path.read_bytes().hex(), file=open(sys.argv[2], "w"))
sys.exit(int(sys.argv[3]))
"""


def test_a_chips_key_is_there_for_one_program_and_gone_after_it(tmp_path: Path) -> None:
    troth(tmp_path, "init", str(tmp_path))
    seen, look = tmp_path / "seen", [sys.executable, "-c", LOOK, "{}", str(tmp_path / "seen")]
    said = troth(tmp_path, "board", "hmac-key", "54:32:04:00:00:01", *look, "0")
    path, mode, key = seen.read_text().split()
    secret = open_ring(tmp_path / MASTER).secret(bytes.fromhex("543204000001"))
    assert (int(mode), bytes.fromhex(key)) == (0o600, secret)
    assert said["key"] == mac_key_id(secret).hex()
    assert secret.hex() not in json.dumps(said)
    assert not Path(path).exists()
    told = troth(tmp_path, "board", "hmac-key", "543204000001", *look, "3", code=6)
    assert told["code"] == "harden.tool"
    assert not Path(seen.read_text().split()[0]).exists(), "nor does a failure leave it"


@pytest.mark.parametrize(
    "words", [("543204000001",), ("543204000001", "true"), ("54320400", "true", "{}")]
)
def test_a_key_without_a_chip_or_a_program_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(root, ["board", "hmac-key", *words]).exit_code == 2


# virtual chips, with the real programs


@pytest.fixture(scope="module", params=WALKED)
def walked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, Any]]:
    """A hardened chip, its folder with a home, and what was said: once for all who test at once."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / request.param
    folder.mkdir(exist_ok=True)
    said = folder / "said.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.is_file():
            troth(folder, "init", str(folder / "home"))
            words = ("board", "harden", "--chip", request.param, "--virtual", str(folder))
            said.write_text(json.dumps(troth(folder / "home", *words)))
    return request.param, folder, json.loads(said.read_text())


def test_a_virtual_chip_is_hardened_to_the_end(walked: tuple[str, Path, dict[str, Any]]) -> None:
    chip, folder, said = walked
    assert said["schema"] == "troth/harden/1"
    hows = {step["step"]: step["how"] for step in said["steps"]}
    assert hows.pop("flash") == "not on a virtual chip"
    assert hows.pop("hmac-key", "was there") == "was there", "derived from the home's master"
    assert set(hows.values()) == {"ran"}
    assert hows.keys() >= {step.name for step in steps_of(chip) if step.marks}
    secret = [path for path in folder.iterdir() if path.suffix in (".pem", ".bin")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in secret if "key" in path.name)


def test_the_boot_rom_starts_the_signed_image_and_no_other(
    walked: tuple[str, Path, dict[str, Any]], tmp_path: Path
) -> None:
    chip, folder, _ = walked
    shutil.copy(folder / "efuse.bin", tmp_path)
    signed = (folder / "app-signed.bin").read_bytes()
    (tmp_path / "app.bin").write_bytes(signed)
    assert bootrom.refusal(chips.load_chip(chip), "P2", tmp_path) == ""
    shutil.copy(folder / "app.bin", tmp_path)
    assert "no signature" in bootrom.refusal(chips.load_chip(chip), "P2", tmp_path)
    assert signed not in (folder / "app-encrypted.bin").read_bytes()


class Registers:
    """machine.mem32 over an espefuse file: the register at offset o ends o bytes before the end."""

    def __init__(self, chip: str, data: bytes) -> None:
        self._base, self._data = chips.load_chip(chip).efuse_base, data

    def __getitem__(self, address: int) -> int:
        end = len(self._data) - (address - self._base)
        return int.from_bytes(self._data[end - 4 : end], "big")


def test_the_agent_says_of_it_what_was_burned(walked: tuple[str, Path, dict[str, Any]]) -> None:
    chip, folder, _ = walked
    said = named(efuse.read(chip, Registers(chip, (folder / "efuse.bin").read_bytes())))
    assert said["secure_boot"] is True
    assert said["flash_enc"] is True
    assert said["flash_enc_mode"] == "release"
    assert said["jtag"] == "disabled"
    assert said["dl_mode"] in ("secure", "disabled")
    assert said["key_blocks_readable"] == 0
    assert said["oemboot"] is True
    digest = (folder / "boot-digest.bin").read_bytes()
    if load_chip(chip).digest_bytes == 32:  # the agent does not say half of one
        assert said["secure_boot_digests"] == [digest]


BOOT_STORAGE_DEBUG = {
    *("boot.secure-boot", "boot.key-slots", "boot.firmware-known", "boot.files-known"),
    *("store.flash-encrypted", "store.no-readable-key", "store.secrets-protected"),
    *("surface.debug-locked", "surface.no-serial-repl", "upd.signed"),
}


@pytest.mark.vm
def test_it_starts_is_heard_and_meets_what_a_hardened_board_must(
    walked: tuple[str, Path, dict[str, Any]], tmp_path: Path
) -> None:
    """It never had a prompt: what its line burned enrols it, its first report shows the rest."""
    chip, folder, _ = walked
    home, product, name = folder / "home", tmp_path / "product", f"hardened-{chip}"
    shutil.copytree(DEMO / "files", product)
    said = json.loads((product / "troth.json").read_text())
    (product / "troth.json").write_text(json.dumps({**said, "swversion": "1.0.0"}))
    words = ["provision", "--hardened", str(folder), "--files", str(product), "--name", name]
    words += ["--market", "eu", "--placed", "2026-03-02"]
    if not load_chip(chip).hmac:
        assert troth(home, *words, code=6)["code"] == "harden.keyless"
        return
    assert troth(home, *words, code=6)["code"] == "board.not-released"
    release(home, folder / "app-signed.bin", product, "1.0.0", DEMO / "statement.toml")
    with served(home) as verifier:
        (row,) = troth(home, *words, "--url", verifier["attest"])["boards"]
        with running(tmp_path, "--name", name, "--hardened", str(folder)) as boards:
            assert [board["state"] for board in boards["boards"]] == ["sealed"]
            standing = wait_for(home, name, compliant, 90)
    assert standing.state is State.COMPLIANT, standing
    with Store.open(f"sqlite:///{home / 'troth.db'}") as store:
        answers = [each.appraisal for each in store.intervals(row["device"])]
    assert {each.duty for each in answers if each.outcome is Outcome.MET} >= BOOT_STORAGE_DEBUG


def test_what_is_done_stays_done(walked: tuple[str, Path, dict[str, Any]]) -> None:
    chip, folder, _ = walked
    before = (folder / "efuse.bin").read_bytes()
    done = json.loads(harden(chip, "--virtual", str(folder), "--step", "lock").output)
    assert [(step["step"], step["how"]) for step in done["steps"]] == [("lock", "was there")]
    assert (folder / "efuse.bin").read_bytes() == before


@pytest.mark.parametrize("chip", WALKED)
def test_keys_are_not_burned_where_nothing_can_hide_them(chip: str, tmp_path: Path) -> None:
    (tmp_path / "app.bin").write_bytes(b"image")
    fuses = tmp_path / "efuse.bin"
    by_hand = ("write-protect-efuse", "RD_DIS")  # too early
    espefuse(chip, fuses, *work._SEEDS.get(chip, ()), *by_hand)
    before = fuses.read_bytes()
    told = refused(harden(chip, "--virtual", str(tmp_path), "--step", "keys"))
    assert told.code == "harden.order"
    assert "lock was burned already" in told.why
    assert (tmp_path / "efuse.bin").read_bytes() == before
